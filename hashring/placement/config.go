package placement

import (
	"slices"
	"strings"
)

// A Config is the owners of one slot since the generation at which they last changed. Two configs of a slot are
// ordered by Generation. A Config is immutable and shared; compare with Equal.
type Config struct {
	Generation uint64   `json:"generation"`
	Owners     []string `json:"owners"` // identities of nodes (see Identity) in ring order, distinct
}

// Equal reports whether c and d are the same config.
func (c *Config) Equal(d *Config) bool {
	return c == d || c != nil && d != nil && c.Generation == d.Generation && slices.Equal(c.Owners, d.Owners)
}

// Owns reports whether the node of this identity is one of the owners.
func (c *Config) Owns(identity string) bool { return slices.Contains(c.Owners, identity) }

// Identity is how configs name a node: its id and, where that is known, the random id of its data directory. The same
// id on another disk is another node: it holds nothing of what the first one held, and knows nothing of what that promised.
func Identity(id, disk string) string {
	if disk == "" {
		return id
	}
	return id + "/" + disk
}

// split takes an identity apart.
func split(identity string) (id, disk string) {
	id, disk, _ = strings.Cut(identity, "/")
	return id, disk
}

package placement

import "slices"

// A Config is the owners of one slot since the generation at which they last changed. Two configs of a slot are
// ordered by Generation. A Config is immutable and shared; compare with Equal.
type Config struct {
	Generation uint64   `json:"generation"`
	Owners     []string `json:"owners"` // node ids in ring order, distinct
}

// Equal reports whether c and d are the same config.
func (c *Config) Equal(d *Config) bool {
	return c == d || c != nil && d != nil && c.Generation == d.Generation && slices.Equal(c.Owners, d.Owners)
}

// Owns reports whether node is one of the owners.
func (c *Config) Owns(node string) bool { return slices.Contains(c.Owners, node) }

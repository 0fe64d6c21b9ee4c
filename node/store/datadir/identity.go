package datadir

import (
	"crypto/rand"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"hash/crc32"
	"io/fs"
	"time"

	"ringkv/node/store/disk"
)

const (
	identityFile  = "node.json"
	identityLimit = 64 << 10
	format        = 1
)

// An Identity is who a node is. Disk is random and made with the directory: a node that lost its data and comes back
// under its old id is another one to its peers, since it can't know what it has promised.
type Identity struct {
	Node    string
	Disk    string
	Created time.Time
}

// NewIdentity makes an identity that has never been. An empty id gets a short random one, such as node-7f3a9c21. It is what a node
// without a data directory starts with.
func NewIdentity(id string) Identity {
	if id == "" {
		id = "node-" + randomHex(4)
	}
	return Identity{Node: id, Disk: randomHex(8), Created: time.Now().UTC().Truncate(time.Second)}
}

func randomHex(bytes int) string {
	b := make([]byte, bytes)
	rand.Read(b) // never fails, says its documentation
	return hex.EncodeToString(b)
}

// stored is node.json.
type stored struct {
	Format  int       `json:"format"`
	Node    string    `json:"node"`
	Disk    string    `json:"disk"`
	Created time.Time `json:"created"`
	CRC     string    `json:"crc"`
}

// sum is over the fields, not their JSON text.
func (s stored) sum() string {
	text := fmt.Sprintf("%d\x00%s\x00%s\x00%s", s.Format, s.Node, s.Disk, s.Created.Format(time.RFC3339))
	return fmt.Sprintf("%08x", crc32.Checksum([]byte(text), crc32.MakeTable(crc32.Castagnoli)))
}

// loadIdentity returns the stored identity, or a new one and false.
func loadIdentity(d disk.Disk, id string) (Identity, bool, error) {
	data, err := disk.ReadFile(d, identityFile, identityLimit)
	if errors.Is(err, fs.ErrNotExist) {
		return newOnEmpty(d, id)
	}
	if err != nil {
		return Identity{}, false, err
	}
	var s stored
	if err := json.Unmarshal(data, &s); err != nil {
		return Identity{}, false, fmt.Errorf("%w (%w)", ErrDamaged, err)
	}
	switch {
	case s.CRC != s.sum():
		return Identity{}, false, fmt.Errorf("%w (its checksum is %s, not %s)", ErrDamaged, s.sum(), s.CRC)
	case s.Format > format:
		return Identity{}, false, fmt.Errorf("%w (format %d; this one knows up to %d)", ErrNewer, s.Format, format)
	case id != "" && id != s.Node:
		return Identity{}, false, fmt.Errorf("%w (it is %s, not %s)", ErrWrongNode, s.Node, id)
	}
	return Identity{s.Node, s.Disk, s.Created}, true, nil
}

// newOnEmpty refuses to give a new identity to a directory that holds the data of an old one.
func newOnEmpty(d disk.Disk, id string) (Identity, bool, error) {
	names, err := d.List()
	if err != nil {
		return Identity{}, false, err
	}
	for _, name := range names {
		if name != lockFile && name != probeFile {
			return Identity{}, false, fmt.Errorf("%w (node.json is missing, but %s is there)", ErrDamaged, name)
		}
	}
	return NewIdentity(id), false, nil
}

func (i Identity) save(d disk.Disk) error {
	s := stored{Format: format, Node: i.Node, Disk: i.Disk, Created: i.Created}
	s.CRC = s.sum()
	data, err := json.MarshalIndent(s, "", "  ")
	if err != nil {
		return fmt.Errorf("store the node's identity: %w", err)
	}
	return disk.WriteFile(d, identityFile, append(data, '\n'))
}

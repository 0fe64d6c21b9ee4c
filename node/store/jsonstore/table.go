package jsonstore

import (
	"bytes"
	"hash/maphash"
	"slices"
	"sync"

	"ringkv/node/record"
)

// A spot is where a line lies.
type spot struct {
	seg  uint32 // a segment's id in this process
	off  uint32
	size uint32
}

// An entry is what is known of a key in memory: 40 bytes, no pointer.
type entry struct {
	version record.Version
	spot
	key    uint32 // where the key begins in table.keys
	keyLen uint16
	flags  uint8
}

const (
	flagDeleted = 1 << iota
	flagDamaged // its line can't be read
	flagUnsure  // a later line, of a key that can't be read, was damaged: it may have been this key's
)

// A table holds the keys of one slot. Its memory has no pointers, so that the garbage collector doesn't walk a node's
// keys, and about 75 bytes go to a key of 20 bytes. Keys are never taken out.
type table struct {
	mu      sync.RWMutex // guards what follows
	entries []entry      // in the order in which the keys first came
	keys    []byte       // one after the other; bytes once written never change
	cells   []uint32     // open addressing: index into entries plus 1, or 0; a power of two, at most 3/4 in use

	state     []byte
	stateSpot spot
	doubt     bool // something of this slot may have been lost to damage
	repaired  spot // the line that says that it has been made good
}

// find returns the index of key in entries, -1 when it isn't there.
func (t *table) findLocked(seed maphash.Seed, key []byte) int {
	if len(t.cells) == 0 {
		return -1
	}
	mask := uint64(len(t.cells) - 1)
	for h := maphash.Bytes(seed, key) & mask; t.cells[h] != 0; h = (h + 1) & mask {
		i := int(t.cells[h] - 1)
		if bytes.Equal(t.keyOf(t.keys, i), key) {
			return i
		}
	}
	return -1
}

func (t *table) keyOf(keys []byte, i int) []byte {
	e := &t.entries[i]
	return keys[e.key : e.key+uint32(e.keyLen)]
}

// putLocked stores e for key and returns what was there before.
func (t *table) putLocked(seed maphash.Seed, key []byte, e entry) (old entry, replaced bool) {
	if i := t.findLocked(seed, key); i >= 0 {
		old = t.entries[i]
		e.key, e.keyLen = old.key, old.keyLen
		t.entries[i] = e
		return old, true
	}
	e.key, e.keyLen = uint32(len(t.keys)), uint16(len(key))
	t.keys = append(t.keys, key...)
	t.entries = append(t.entries, e)
	if len(t.entries)*4 > len(t.cells)*3 {
		t.growLocked(seed)
	} else {
		t.placeLocked(seed, len(t.entries)-1)
	}
	return entry{}, false
}

func (t *table) growLocked(seed maphash.Seed) {
	t.cells = make([]uint32, max(16, 2*len(t.cells)))
	for i := range t.entries {
		t.placeLocked(seed, i)
	}
}

func (t *table) placeLocked(seed maphash.Seed, i int) {
	mask := uint64(len(t.cells) - 1)
	h := maphash.Bytes(seed, t.keyOf(t.keys, i)) & mask
	for t.cells[h] != 0 {
		h = (h + 1) & mask
	}
	t.cells[h] = uint32(i + 1)
}

// after returns the keys after `after`, in order. They are views of memory that doesn't change any more.
func (t *table) after(after []byte) [][]byte {
	t.mu.RLock()
	found := make([][]byte, 0, len(t.entries))
	for i := range t.entries {
		if key := t.keyOf(t.keys, i); bytes.Compare(key, after) > 0 {
			found = append(found, key)
		}
	}
	t.mu.RUnlock()
	slices.SortFunc(found, bytes.Compare)
	return found
}

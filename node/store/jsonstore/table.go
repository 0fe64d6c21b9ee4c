package jsonstore

import (
	"bytes"
	"hash/maphash"
	"slices"
	"sync"

	"ringkv/node/record"
	"ringkv/node/store"
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
	first  uint32 // the number of a segment before which no line of the key is left that could count
}

// count returns what the entry adds to the numbers of keys with a value and of tombstones. A ballot alone is neither.
func (e *entry) count() (keys, tombstones int64) {
	switch {
	case e.flags&flagForgotten != 0:
		return 0, 0
	case e.flags&flagDeleted != 0:
		return 0, 1
	case e.version.IsZero():
		return 0, 0
	}
	return 1, 0
}

// weight is what the entry of key adds to its slot's digest. What can't be served, because of damage, adds nothing, so that the digest is not
// that of a healthy replica.
func (e *entry) weight(key []byte) uint64 {
	if e.flags&(flagDamaged|flagUnsure|flagForgotten) != 0 {
		return 0
	}
	return store.Fingerprint(stringOf(key), e.version, e.flags&flagDeleted != 0)
}

// flagLocked sets and clears flags of an entry, and keeps the digest up to date.
func (t *table) flagLocked(i int, set, clear uint8) {
	e := &t.entries[i]
	t.digest -= e.weight(t.keyOf(i))
	e.flags = e.flags&^clear | set
	t.digest += e.weight(t.keyOf(i))
}

const (
	flagDeleted = 1 << iota
	flagDamaged // its line can't be read
	flagUnsure  // a later line, of a key that can't be read, was damaged: it may have been this key's
	flagMarked  // the record is derived, or has an origin or a ballot
	// flagForgotten is set where Forget gave up a tombstone. Its line still has an owner here, because an older value of the key may lie in an
	// earlier segment and would count if the line were gone: see locate.
	flagForgotten
)

// A table holds the keys of one slot. Its memory has no pointers, so that the garbage collector doesn't walk a node's
// keys, and 71 to 85 bytes go to a key of 20 bytes. Keys are taken out by making the table anew.
type table struct {
	mu      sync.RWMutex // guards what follows
	entries []entry      // in the order in which the keys first came
	keys    []byte       // one after the other; bytes once written never change
	cells   []cell       // open addressing; a power of two of them, at most 3/4 in use

	digest    uint64
	crowded   bool
	state     []byte
	stateSpot spot
	stateBad  bool // a newer state was lost to damage, or may have been
	doubt     bool // a record of this slot may have been lost to damage
	repaired  spot // the line that says that it has been made good
	dropped   spot // the line that says that what earlier segments hold of the slot's records doesn't count
}

// A cell is 0, or the index of an entry plus 1 in its lower 24 bits and 8 bits of the key's hash above, which spare looking at most
// keys that aren't the one sought.
type cell uint32

const cellBits = 24

// A slot takes no new keys beyond these: what a batch may still bring fits into an entry's and a cell's bits. Only keys that were made
// up to lie in one slot come there.
const (
	crowdedEntries = 1 << (cellBits - 1)
	crowdedKeys    = 3 << 30
)

func newCell(i int, hash uint64) cell { return cell(hash>>56)<<cellBits | cell(i+1) }

func (c cell) index() int             { return int(c&(1<<cellBits-1)) - 1 }
func (c cell) maybe(hash uint64) bool { return uint64(c>>cellBits) == hash>>56 }

// findLocked returns the index of key in entries, -1 when it isn't there.
func (t *table) findLocked(seed maphash.Seed, key []byte) int {
	if len(t.cells) == 0 {
		return -1
	}
	hash, mask := maphash.Bytes(seed, key), uint64(len(t.cells)-1)
	for at := hash & mask; t.cells[at] != 0; at = (at + 1) & mask {
		if c := t.cells[at]; c.maybe(hash) && bytes.Equal(t.keyOf(c.index()), key) {
			return c.index()
		}
	}
	return -1
}

func (t *table) keyOf(i int) []byte {
	e := &t.entries[i]
	end := e.key + uint32(e.keyLen)
	return t.keys[e.key:end:end]
}

// putLocked stores e for key and returns what was there before.
func (t *table) putLocked(seed maphash.Seed, key []byte, e entry) (old entry, replaced bool) {
	if i := t.findLocked(seed, key); i >= 0 {
		old = t.entries[i]
		e.key, e.keyLen, e.first = old.key, old.keyLen, min(old.first, e.first)
		t.entries[i] = e
		t.digest += e.weight(key) - old.weight(key)
		return old, true
	}
	e.key, e.keyLen = uint32(len(t.keys)), uint16(len(key))
	t.keys = append(withRoom(t.keys, len(key)), key...)
	t.entries = append(withRoom(t.entries, 1), e)
	t.digest += e.weight(key)
	t.crowded = len(t.entries) > crowdedEntries || len(t.keys) > crowdedKeys
	if len(t.entries)*4 > len(t.cells)*3 {
		t.growLocked(seed)
	} else {
		t.placeLocked(seed, len(t.entries)-1)
	}
	return entry{}, false
}

// withRoom returns s with room for n more. Where it has none, it gets that for an eighth more, half of what append would make: these are most of
// a node's memory.
func withRoom[T any](s []T, n int) []T {
	if cap(s)-len(s) >= n {
		return s
	}
	return append(make([]T, 0, len(s)+n+len(s)/8), s...)
}

// keepLocked makes the table anew with the entries that keep wants, and returns the others. Memory that isn't needed any more is given back; who still
// looks at the keys that were there keeps them.
func (t *table) keepLocked(seed maphash.Seed, keep func(e *entry) bool) (gone []entry) {
	entries, keys := t.entries, t.keys
	t.entries, t.keys, t.cells, t.digest, t.crowded = nil, nil, nil, 0, false
	for _, e := range entries {
		key := keys[e.key : e.key+uint32(e.keyLen)]
		if keep(&e) {
			t.putLocked(seed, key, e)
		} else {
			gone = append(gone, e)
		}
	}
	return gone
}

func (t *table) anyLocked(is func(e *entry) bool) bool {
	for i := range t.entries {
		if is(&t.entries[i]) {
			return true
		}
	}
	return false
}

func (t *table) growLocked(seed maphash.Seed) {
	t.cells = make([]cell, max(16, 2*len(t.cells)))
	for i := range t.entries {
		t.placeLocked(seed, i)
	}
}

func (t *table) placeLocked(seed maphash.Seed, i int) {
	hash, mask := maphash.Bytes(seed, t.keyOf(i)), uint64(len(t.cells)-1)
	at := hash & mask
	for t.cells[at] != 0 {
		at = (at + 1) & mask
	}
	t.cells[at] = newCell(i, hash)
}

// after returns the keys after `after`, in order, without forgotten ones. They are views of memory that doesn't change any more.
func (t *table) after(after []byte) [][]byte {
	t.mu.RLock()
	found := make([][]byte, 0, len(t.entries))
	for i := range t.entries {
		if key := t.keyOf(i); t.entries[i].flags&flagForgotten == 0 && bytes.Compare(key, after) > 0 {
			found = append(found, key)
		}
	}
	t.mu.RUnlock()
	slices.SortFunc(found, bytes.Compare)
	return found
}

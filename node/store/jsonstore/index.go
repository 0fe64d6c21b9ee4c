package jsonstore

import (
	"hash/maphash"
	"sync/atomic"

	"ringkv/hashring"
)

// An index knows where the newest line of each key and each slot's state lies. It is safe for concurrent use.
type index struct {
	seed    maphash.Seed
	tables  [hashring.Slots]table
	live    func(seg uint32, bytes int64) // told how many bytes of a segment come into use, or go out of it
	keys    atomic.Int64                  // with a value
	deleted atomic.Int64                  // tombstones
	crowded atomic.Bool                   // some slot is

	forgotten atomic.Int64 // tombstones of which only the line is left
}

// takes reports whether there is room for key in its slot.
func (x *index) takes(key string) bool {
	if !x.crowded.Load() {
		return true
	}
	k := bytesOf(key)
	t := x.table(k)
	t.mu.RLock()
	defer t.mu.RUnlock()
	return !t.crowded || t.findLocked(x.seed, k) >= 0
}

func newIndex(live func(seg uint32, bytes int64)) *index {
	return &index{seed: maphash.MakeSeed(), live: live}
}

func (x *index) slot(key []byte) int { return hashring.SlotOf(stringOf(key)) }

func (x *index) table(key []byte) *table { return &x.tables[x.slot(key)] }

// put makes l, which lies at s, the newest of its key or its slot.
func (x *index) put(l *line, s spot) {
	switch l.kind {
	case kindRecord:
		e := entry{version: l.version, spot: s, first: l.first}
		if l.deleted {
			e.flags |= flagDeleted
		}
		if l.marked() {
			e.flags |= flagMarked
		}
		if !l.ok {
			e.flags |= flagDamaged
		}
		x.putEntry(l.key, e)
	case kindState:
		x.putState(l, s)
	case kindRepaired:
		x.repair(l.slot, s)
	case kindDropped:
		x.drop(l.slot, s)
	}
}

func (x *index) putEntry(key []byte, e entry) {
	t := x.table(key)
	t.mu.Lock()
	old, replaced := t.putLocked(x.seed, key, e)
	crowded := t.crowded
	t.mu.Unlock()
	x.account(&e, 1)
	if replaced {
		x.account(&old, -1)
	}
	if crowded {
		x.crowded.Store(true)
	}
}

// account adds an entry to the totals, by 1, or takes it away, by -1.
func (x *index) account(e *entry, by int64) {
	keys, deleted := e.count()
	x.keys.Add(by * keys)
	x.deleted.Add(by * deleted)
	if e.flags&flagForgotten != 0 {
		x.forgotten.Add(by)
	}
	x.live(e.seg, by*int64(e.size))
}

func (x *index) putState(l *line, s spot) {
	t := &x.tables[l.slot]
	t.mu.Lock()
	old := t.stateSpot
	t.stateSpot, t.stateBad = s, !l.ok
	if l.ok {
		t.state = append([]byte{}, l.value...)
	}
	t.mu.Unlock()
	x.live(s.seg, int64(s.size))
	x.live(old.seg, -int64(old.size))
}

// drop takes out the records of a slot that lie in other segments than s. A drop begins a segment, so those are the ones from before it; and when its
// line is copied to a compacted segment, only what counts comes to lie beside it. What was lost before it is of no account any more.
func (x *index) drop(slot int, s spot) {
	t := &x.tables[slot]
	t.mu.Lock()
	old := t.dropped
	t.dropped, t.doubt = s, false
	for _, e := range t.keepLocked(x.seed, func(e *entry) bool { return e.seg == s.seg }) {
		x.account(&e, -1)
	}
	t.mu.Unlock()
	x.live(s.seg, int64(s.size))
	x.live(old.seg, -int64(old.size))
}

// repair ends the doubt about a slot.
func (x *index) repair(slot int, s spot) {
	t := &x.tables[slot]
	t.mu.Lock()
	old := t.repaired
	t.repaired, t.doubt, t.stateBad = s, false, false
	for i := range t.entries {
		t.flagLocked(i, 0, flagUnsure)
	}
	t.mu.Unlock()
	x.live(s.seg, int64(s.size))
	x.live(old.seg, -int64(old.size))
}

// doubtBefore notes that a line was lost at s of which it isn't known what it was about: everything known that lies before it
// may be older than it.
func (x *index) doubtBefore(s spot) {
	later := func(other spot) bool { return other.seg == s.seg && other.off >= s.off }
	for i := range x.tables {
		t := &x.tables[i]
		t.mu.Lock()
		if !later(t.repaired) {
			t.stateBad = t.stateBad || !later(t.stateSpot)
		}
		if !later(t.repaired) && !later(t.dropped) {
			t.doubt = true
			for i := range t.entries {
				if !later(t.entries[i].spot) {
					t.flagLocked(i, flagUnsure, 0)
				}
			}
		}
		t.mu.Unlock()
	}
}

// lies reports whether the newest line known of what l is about lies in that segment.
func (x *index) lies(l *line, seg uint32) bool {
	t := &x.tables[l.slot]
	if l.kind == kindRecord {
		t = x.table(l.key)
	}
	t.mu.RLock()
	defer t.mu.RUnlock()
	switch l.kind {
	case kindState:
		return t.stateSpot.seg == seg
	case kindRepaired:
		return t.repaired.seg == seg
	case kindDropped:
		return t.dropped.seg == seg
	}
	i := t.findLocked(x.seed, l.key)
	return i >= 0 && t.entries[i].seg == seg
}

// get returns the entry of key. Without one, doubt tells whether there may have been one.
func (x *index) get(key string) (e entry, ok, doubt bool) {
	k := bytesOf(key)
	t := x.table(k)
	t.mu.RLock()
	defer t.mu.RUnlock()
	if i := t.findLocked(x.seed, k); i >= 0 && t.entries[i].flags&flagForgotten == 0 {
		return t.entries[i], true, t.doubt
	}
	return entry{}, false, t.doubt
}

// flagDamage marks whatever lies between from and to of a segment as damaged, and reports whether there was anything.
func (x *index) flagDamage(seg uint32, from, to int64) bool {
	any := false
	within := func(s spot) bool {
		return s.seg == seg && s.size > 0 && int64(s.off) < to && int64(s.off)+int64(s.size) > from
	}
	for i := range x.tables {
		t := &x.tables[i]
		t.mu.Lock()
		for i := range t.entries {
			if within(t.entries[i].spot) {
				t.flagLocked(i, flagDamaged, 0)
				any = true
			}
		}
		// The slot's state is in memory, and right. It is only on disk that it is damaged.
		any = any || within(t.stateSpot) || within(t.repaired) || within(t.dropped)
		t.mu.Unlock()
	}
	return any
}

// doubtful returns the number of slots of which something may have been lost.
func (x *index) doubtful() int {
	n := 0
	for i := range x.tables {
		t := &x.tables[i]
		t.mu.RLock()
		if t.doubt || t.stateBad {
			n++
		}
		t.mu.RUnlock()
	}
	return n
}

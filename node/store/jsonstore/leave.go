package jsonstore

// clean notes that the segments of run will hold no garbage once they are compacted: the lines of a key that lie after them begin after them. Lines that
// became garbage since they were copied are for move to note.
func (x *index) clean(run []*segment) {
	from, next := uint32(run[0].from), uint32(run[len(run)-1].number)+1
	in := idsOf(run)
	for i := range x.tables {
		t := &x.tables[i]
		t.mu.Lock()
		for i := range t.entries {
			if e := &t.entries[i]; e.first >= from && e.first < next && !in[e.seg] {
				e.first = next
			}
		}
		t.mu.Unlock()
	}
}

// leave gives up what wasn't copied from the segments of run though the index points to it: drops and forgotten tombstones that have nothing left to keep
// from counting.
func (x *index) leave(run []*segment) {
	in := idsOf(run)
	for i := range x.tables {
		t := &x.tables[i]
		t.mu.Lock()
		if in[t.dropped.seg] {
			t.dropped = spot{}
		}
		left := func(e *entry) bool { return e.flags&flagForgotten != 0 && in[e.seg] }
		if t.anyLocked(left) {
			for _, e := range t.keepLocked(x.seed, func(e *entry) bool { return !left(e) }) {
				x.account(&e, -1)
			}
		}
		t.mu.Unlock()
	}
}

func idsOf(run []*segment) map[uint32]bool {
	ids := map[uint32]bool{}
	for _, seg := range run {
		ids[seg.id] = true
	}
	return ids
}

// loose returns by segment id how many of its live bytes any compaction of the segment leaves out.
func (x *index) loose(segs []*segment) map[uint32]int64 {
	if x.forgotten.Load() == 0 {
		return nil
	}
	from := map[uint32]uint32{}
	for _, seg := range segs {
		from[seg.id] = uint32(seg.from)
	}
	bytes := map[uint32]int64{}
	for i := range x.tables {
		t := &x.tables[i]
		t.mu.RLock()
		for i := range t.entries {
			if e := &t.entries[i]; e.flags&flagForgotten != 0 && e.first >= from[e.seg] {
				bytes[e.seg] += int64(e.size)
			}
		}
		t.mu.RUnlock()
	}
	return bytes
}

package storetest

import (
	"context"
	"fmt"

	"ringkv/node/record"
	"ringkv/node/store"
)

func doesDropForget(s *subject) {
	s.open()
	const slot, other = 11, 12
	keys, others := keysOf(slot, 20), keysOf(other, 3)
	for i, key := range keys {
		s.apply(put(key, "before", uint64(i+1)), put(others[i%3], "stays", uint64(i+1)))
	}
	lastOf := [3]uint64{19, 20, 18} // the versions of others
	s.apply(tombstone(keys[1], 30), record.Record{Key: keys[2], Ballot: record.Version{HLC: 31}})
	s.applySlots(store.SlotState{Slot: slot, State: []byte(`"old"`)}, store.SlotState{Slot: other, State: []byte(`"stays"`)})
	before := s.store.MaxVersion()
	with, later := put(keys[3], "in the same batch", 40), put(keys[4], "after the drop", 2)
	if err := s.store.Apply(store.Batch{Drop: []int{slot, slot, slot + 2}, Records: []record.Record{with}}); err != nil {
		s.Fatalf("Apply with Drop: %v", err)
	}
	if st := s.store.Stats(); st.Keys != 4 || st.Tombstones != 0 {
		s.Errorf("Stats() = %+v after a drop, want 4 keys", st)
	}
	s.apply(later)
	check := func() {
		s.Helper()
		for i, key := range keys {
			if i != 3 && i != 4 {
				s.wantsNone(key)
			}
		}
		s.wants(with)
		s.wants(later)
		for i, key := range others {
			s.wants(put(key, "stays", lastOf[i]))
		}
		if got := string(s.store.SlotState(slot)); got != `"old"` {
			s.Errorf("SlotState of the dropped slot = %s, want it as it was", got)
		}
		if before.After(s.store.MaxVersion()) {
			s.Errorf("MaxVersion() = %v, want at least %v, from before the drop", s.store.MaxVersion(), before)
		}
		s.wantsDigests()
	}
	check()
	for round := range 3 {
		if err := s.store.Compact(context.Background()); err != nil {
			s.Fatalf("Compact: %v", err)
		}
		check()
		if !s.reopen() {
			return
		}
		check()
		later = put(later.Key, fmt.Sprintf("after the drop, %d", round), later.Version.HLC+1)
		s.apply(later)
		check()
	}
}

func isADropOneWithItsBatch(s *subject) {
	s.open()
	const slot = 13
	keys := keysOf(slot, 3)
	s.apply(put(keys[0], "v", 1), put(keys[1], "v", 2))
	if err := s.store.Apply(store.Batch{
		Drop: []int{slot}, Records: []record.Record{put(keys[2], "w", 3)}, Slots: []store.SlotState{{Slot: slot, State: []byte(`"new"`)}},
	}); err != nil {
		s.Fatalf("Apply with Drop: %v", err)
	}
	if err := s.store.Apply(store.Batch{Drop: []int{slot}}); err != nil {
		s.Fatalf("Apply of a Drop alone: %v", err)
	}
	for range 2 {
		for _, key := range keys {
			s.wantsNone(key)
		}
		if got := string(s.store.SlotState(slot)); got != `"new"` {
			s.Errorf("SlotState = %s, want what came with the drop", got)
		}
		if d := s.store.Digest(slot); d != 0 {
			s.Errorf("Digest of an empty slot = %x, want 0", d)
		}
		if !s.reopen() {
			return
		}
	}
}

package storetest

import (
	"context"
	"fmt"
	"testing"

	"ringkv/node/record"
	"ringkv/node/store"
)

func doesForgetHideTombstones(s *subject) {
	s.open()
	const slot = 14
	keys := keysOf(slot, 8)
	elsewhere := tombstone(keysOf(slot+1, 1)[0], 1)
	old, derived, promised := tombstone(keys[0], 3), tombstone(keys[1], 4), tombstone(keys[2], 5)
	derived.Derived, derived.Ballot = true, record.Version{HLC: 5, Writer: 7}
	promised.Ballot = record.Version{HLC: 20}
	late, value := tombstone(keys[3], 6), put(keys[4], "v", 2)
	ballot := record.Record{Key: keys[5], Ballot: record.Version{HLC: 2}}
	kept := []record.Record{promised, late, value, ballot, elsewhere}
	s.apply(put(keys[0], "older", 1), put(keys[3], "older", 1))
	s.apply(append(kept, old, derived)...)
	if err := s.store.Forget(slot, record.Version{HLC: 5, Writer: 7}); err != nil {
		s.Fatalf("Forget: %v", err)
	}
	s.wantsNone(keys[0])
	s.wantsNone(keys[1])
	for _, r := range kept {
		s.wants(r)
	}
	s.wantsDigests()
	n := 0
	if err := s.store.Walk(slot, "", func(record.Record) bool { n++; return true }); err != nil || n != 4 {
		s.Errorf("Walk gave %d records, %v, want 4", n, err)
	}
	if st := s.store.Stats(); st.Tombstones != 3 || st.Keys != 1 {
		s.Errorf("Stats() = %+v, want 3 tombstones, 1 key", st)
	}
	back := put(keys[0], "written again", 1)
	s.apply(back)
	s.wants(back)
	s.wantsDigests()
}

// doesAForgottenTombstoneStayAnEnd puts values and deletes them, forgets the deletions, and compacts and opens again in turns, with other keys that fill what
// is between: no value may come back.
func doesAForgottenTombstoneStayAnEnd(s *subject) {
	for _, order := range []string{"ffcr", "fcrc", "frcr", "fcfcrcr", "crfcr"} {
		s.Run(order, func(t *testing.T) {
			q := &subject{T: t, opener: s.again(t)}
			q.open()
			q.deleteAndForget(order)
		})
	}
}

func (s *subject) deleteAndForget(order string) {
	const slot = 15
	keys := keysOf(slot, 6)
	version := uint64(0)
	next := func() uint64 { version++; return version }
	for i, key := range keys {
		s.apply(put(key, "first", next()))
		for range i * 40 {
			n := next()
			s.apply(put(fmt.Sprintf("filler-%d", n%90), fmt.Sprint("a filler ", n), n))
		}
		s.apply(put(key, "second", next()), tombstone(keys[i/2], next()))
	}
	for _, key := range keys {
		s.apply(tombstone(key, next()))
	}
	for _, do := range order {
		switch do {
		case 'f':
			if err := s.store.Forget(slot, record.Version{HLC: version + 1}); err != nil {
				s.Fatalf("Forget: %v", err)
			}
			for _, key := range keys {
				s.wantsNone(key)
			}
		case 'c':
			n := next()
			s.apply(put("one more", "v", n), tombstone(keys[0], next()))
			if err := s.store.Compact(context.Background()); err != nil {
				s.Fatalf("Compact: %v", err)
			}
		case 'r':
			if !s.reopen() {
				return
			}
		}
		if err := s.store.Heads(slot, "", func(key string, h store.Head) bool {
			if !h.Deleted {
				s.Errorf("after %q of %q, %q has come back to life: %+v", do, order, key, h)
			}
			return true
		}); err != nil {
			s.Fatalf("Heads: %v", err)
		}
		s.wantsDigests()
	}
}

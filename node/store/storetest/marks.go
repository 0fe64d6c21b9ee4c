package storetest

import (
	"context"

	"ringkv/hashring"
	"ringkv/node/record"
	"ringkv/node/store"
)

func areMarksKept(s *subject) {
	s.open()
	origin, ballot := record.Version{HLC: 1, Writer: 2}, record.Version{HLC: 1 << 50, Writer: 1<<64 - 1}
	plain := put("plain", "v", 1)
	derived := put("derived", "v", 2)
	derived.Derived = true
	again := put("stored again", "", 3)
	again.Derived, again.Origin, again.Ballot = true, origin, ballot
	again.Type = "text/plain"
	gone := tombstone("gone", 4)
	gone.Origin, gone.Ballot = origin, ballot
	promised := record.Record{Key: "promised \xff", Ballot: ballot}
	cleared := put("cleared", "v", 6)
	before := cleared
	before.Ballot = ballot
	all := []record.Record{plain, derived, again, gone, promised, cleared}
	s.apply(before)
	s.apply(all...)
	check := func() {
		s.Helper()
		for _, r := range all {
			s.wants(r)
		}
	}
	check()
	for range 3 {
		if !s.reopen() {
			return
		}
		check()
		if err := s.store.Compact(context.Background()); err != nil {
			s.Fatalf("Compact: %v", err)
		}
		check()
	}
	promised.Version, promised.Value = record.Version{HLC: 7}, []byte("written")
	s.apply(promised)
	s.wants(promised)
}

func areHeadsLikeWalk(s *subject) {
	s.open()
	const slot = 6
	keys := keysOf(slot, 30)
	for i, key := range keys {
		r := put(key, "v", uint64(i+1))
		r.Deleted, r.Derived = i%3 == 0, i%4 == 0
		s.apply(r)
	}
	s.apply(record.Record{Key: keys[11], Ballot: record.Version{HLC: 5}})
	check := func() {
		s.Helper()
		for _, after := range []string{"", keys[3], keys[29]} {
			var walked []record.Record
			if err := s.store.Walk(slot, after, func(r record.Record) bool {
				walked = append(walked, r)
				return true
			}); err != nil {
				s.Fatalf("Walk: %v", err)
			}
			n := 0
			if err := s.store.Heads(slot, after, func(key string, h store.Head) bool {
				if n >= len(walked) || key != walked[n].Key || h != headOf(walked[n]) {
					s.Fatalf("Heads gave %q %+v as number %d after %q, want %+v", key, h, n, after, walked)
				}
				n++
				return true
			}); err != nil || n != len(walked) {
				s.Fatalf("Heads gave %d, %v, want %d", n, err, len(walked))
			}
		}
		s.wantsDigests()
	}
	check()
	n := 0
	if err := s.store.Heads(slot, "", func(string, store.Head) bool { n++; return n < 4 }); err != nil || n != 4 {
		s.Errorf("Heads went on to %d, %v, want 4", n, err)
	}
	if s.reopen() {
		check()
	}
}

// wantsDigests checks that each slot's digest is the sum over what Heads gives, and that a slot is plain where none of that is marked.
func (s *subject) wantsDigests() {
	s.Helper()
	for slot := range hashring.Slots {
		var want uint64
		plain := true
		if err := s.store.Heads(slot, "", func(key string, h store.Head) bool {
			want += store.Fingerprint(key, h.Version, h.Deleted)
			plain = plain && !h.Marked
			return true
		}); err != nil {
			s.Fatalf("Heads(%d): %v", slot, err)
		}
		if got := s.store.Digest(slot); got != want {
			s.Fatalf("Digest(%d) = %x, want %x", slot, got, want)
		}
		if got := s.store.Plain(slot); got != plain {
			s.Fatalf("Plain(%d) = %v, want %v", slot, got, plain)
		}
	}
}

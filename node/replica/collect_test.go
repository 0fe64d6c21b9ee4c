package replica_test

import (
	"fmt"
	"testing"
	"time"

	"ringkv/hashring"
	"ringkv/node/replica"
	"ringkv/node/wire"
)

// wantNoTombstones checks that these nodes hold no deletion any more.
func (s *street) wantNoTombstones(ids ...string) {
	s.t.Helper()
	for _, id := range ids {
		if n := s.houses[id].store.Stats().Tombstones; n != 0 {
			s.t.Errorf("%s holds %d tombstones, want none", id, n)
		}
	}
}

// wantDeleted checks that these nodes answer that key is deleted, whether they hold a tombstone of it or have collected that.
func (s *street) wantDeleted(key string, ids ...string) {
	s.t.Helper()
	for _, id := range ids {
		resp := s.do(id, &wire.Request{Op: wire.OpRead, Config: s.config(key), Key: key})
		if resp.Status != wire.OK || !resp.Record.Deleted {
			s.t.Errorf("%s answers %v with %q of %q, want a deletion", id, resp.Status, resp.Record.Value, key)
		}
	}
}

func TestOldTombstonesAreCollected(t *testing.T) {
	bubble(t, func(t *testing.T) {
		s := newStreet(t, replica.UpkeepOptions{}, "a", "b", "c")
		time.Sleep(10 * time.Second) // fake time
		for i := range 300 {
			key := fmt.Sprint("key", i)
			s.write(key, s.at(0), key, "a", "b", "c")
			if i%3 == 0 {
				s.write(key, s.at(0), "", "a", "b")
			}
		}
		time.Sleep(8 * time.Minute)
		s.wantSame("a", "b", "c")
		if n := s.houses["c"].store.Stats().Tombstones; n != 100 {
			t.Errorf("c holds %d tombstones before their time, want all 100", n)
		}
		time.Sleep(12 * time.Minute)
		s.wantNoTombstones("a", "b", "c")
		s.wantSame("a", "b", "c")
		for i := range 300 {
			key := fmt.Sprint("key", i)
			if i%3 == 0 {
				s.wantDeleted(key, "a", "b", "c")
			} else {
				s.wantHeld(key, key, "a", "b", "c")
			}
		}
		// A late write from before the deletion, and what an owner is told that still has it, change nothing.
		rec := s.record("key0", s.at(30*time.Minute), "late")
		if resp := s.do("a", &wire.Request{Op: wire.OpWrite, Config: s.config("key0"), Key: "key0", Record: rec}); resp.Status != wire.Superseded {
			t.Errorf("a late write: %v, want superseded", resp.Status)
		}
		s.do("b", &wire.Request{Op: wire.OpSync, Config: s.config("key0"), Key: "key0", Record: rec})
		s.wantDeleted("key0", "a", "b", "c")
		s.write("key0", s.at(0), "again", "a", "b", "c")
		s.wantHeld("key0", "again", "a", "b", "c")
	})
}

// Deletes while an owner is away are kept for as long as it takes.
func TestNothingComesBackWithANodeThatWasAwayForAnHour(t *testing.T) {
	bubble(t, func(t *testing.T) {
		s := newStreet(t, replica.UpkeepOptions{Every: 5 * time.Minute}, "a", "b", "c")
		time.Sleep(10 * time.Second) // fake time
		for i := range 100 {
			s.write(fmt.Sprint("key", i), s.at(0), "old", "a", "b", "c")
		}
		s.kill("c")
		for i := range 50 {
			s.write(fmt.Sprint("key", i), s.at(0), "", "a", "b")
		}
		time.Sleep(time.Hour)
		s.start("c")
		time.Sleep(time.Hour)
		for i := range 50 {
			s.wantDeleted(fmt.Sprint("key", i), "a", "b", "c")
		}
		s.wantHeld("key99", "old", "a", "b", "c")
		s.wantNoTombstones("a", "b", "c")
		s.wantSame("a", "b", "c")
	})
}

// While c is away, d owns the slots in its place, and everything is deleted and collected. Then c comes back as an owner, with
// all that it held: a key of which the others know nothing was deleted, as their floor says.
func TestNothingComesBackWithAFormerOwner(t *testing.T) {
	bubble(t, func(t *testing.T) {
		s := newStreet(t, replica.UpkeepOptions{Every: 5 * time.Minute}, "a", "b", "c", "d")
		time.Sleep(10 * time.Second) // fake time
		for i := range 50 {
			s.write(fmt.Sprint("key", i), s.at(0), "old", "a", "b", "c")
		}
		s.kill("c")
		s.move("a", "b", "d")
		time.Sleep(time.Minute)
		for i := range 50 {
			s.write(fmt.Sprint("key", i), s.at(0), "", "a", "b", "d")
		}
		time.Sleep(time.Hour)
		s.wantNoTombstones("a", "b", "d")
		s.move("a", "b", "c")
		s.start("c")
		time.Sleep(time.Second) // some slots are settled, and none has been compared yet
		settled := 0
		for i := range 50 {
			key := fmt.Sprint("key", i)
			if s.houses["c"].SlotState(hashring.SlotOf(key)) == "settled" {
				settled++
				s.wantDeleted(key, "c")
			}
		}
		if settled == 0 {
			t.Error("nothing is settled yet")
		}
		time.Sleep(time.Hour)
		for i := range 50 {
			s.wantDeleted(fmt.Sprint("key", i), "a", "b", "c")
		}
		s.wantNoTombstones("a", "b", "c")
		s.wantSame("a", "b", "c")
	})
}

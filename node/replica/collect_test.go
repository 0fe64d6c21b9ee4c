package replica_test

import (
	"fmt"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"ringkv/hashring"
	"ringkv/node/record"
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
		s := newStreet(t, replica.UpkeepOptions{Every: 2 * time.Minute}, "a", "b", "c")
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

// c comes back with a key that was deleted without it. All owners guard and level, but only the one that sees to it learns that it's
// done; then each of them is started again. No write from before can get in anywhere, and nothing comes back.
func TestCollectionIsCutOffBeforeTheFloorIsTold(t *testing.T) {
	bubble(t, func(t *testing.T) {
		s := newStreet(t, replica.UpkeepOptions{Every: 2 * time.Minute}, "a", "b", "c")
		time.Sleep(10 * time.Second) // fake time
		s.write("k", s.at(0), "old", "a", "b", "c")
		late := s.record("k", s.at(0), "late")
		time.Sleep(time.Millisecond) // the deletion has a version of its own
		s.kill("c")
		s.write("k", s.at(0), "", "a", "b")
		time.Sleep(15 * time.Minute)
		var floors atomic.Int64
		s.interfere(func(_, _ string, req *wire.Request) *wire.Response {
			if req.Op != wire.OpFloor {
				return nil
			}
			floors.Add(1)
			return &wire.Response{Status: wire.Overloaded, Detail: "has too much to do"}
		})
		s.start("c")
		time.Sleep(15 * time.Minute)
		if floors.Load() == 0 {
			t.Fatal("nothing was collected")
		}
		for _, id := range []string{"a", "b", "c"} {
			s.kill(id)
			s.start(id)
			time.Sleep(time.Second)
			write := &wire.Request{Op: wire.OpWrite, Config: s.config("k"), Key: "k", Record: late}
			if resp := s.do(id, write); resp.Status != wire.Superseded && resp.Status != wire.OK {
				t.Errorf("%s answers a late write %v, want superseded or covered", id, resp.Status)
			}
			write.Op = wire.OpSync
			s.do(id, write)
			s.wantDeleted("k", "a", "b", "c")
			// Nor of a key that nobody has ever heard of: who has the floor knows that as deleted by now.
			fresh := s.record(beside("k"), late.Version, "late")
			write = &wire.Request{Op: wire.OpWrite, Config: s.config("k"), Key: fresh.Key, Record: fresh}
			if resp := s.do(id, write); resp.Status != wire.Superseded {
				t.Errorf("%s answers a late write of another key %v, want superseded", id, resp.Status)
			}
		}
		s.interfere(nil)
		time.Sleep(20 * time.Minute)
		s.wantNoTombstones("a", "b", "c")
		s.wantDeleted("k", "a", "b", "c")
		s.wantSame("a", "b", "c")
		s.write("k", s.at(0), "again", "a", "b")
		time.Sleep(5 * time.Minute)
		s.wantHeld("k", "again", "a", "b", "c")
	})
}

// A write was stored by c alone before a deletion that only a and b know of. While the tombstone is being collected, c can't be told of it: it
// stays. A write below it on its way to one owner must not be taken by that one once the others have given the tombstone up.
func TestNothingIsCollectedUntilAllOwnersHoldIt(t *testing.T) {
	bubble(t, func(t *testing.T) {
		s := newStreet(t, replica.UpkeepOptions{Every: 2 * time.Minute}, "a", "b", "c")
		time.Sleep(10 * time.Second) // fake time
		s.write("k", s.at(0), "old", "a", "b", "c")
		s.interfere(func(_, to string, req *wire.Request) *wire.Response {
			if to == "c" && (req.Op == wire.OpSync || req.Op == wire.OpGuard) {
				return &wire.Response{Status: wire.Full, Detail: "has no space left on its disk"}
			}
			return nil
		})
		late := s.record("k", s.at(0), "late")
		time.Sleep(time.Millisecond) // the deletion has a version of its own
		s.write("k", s.at(0), "", "a", "b")
		time.Sleep(time.Hour)
		s.wantHeld("k", "", "a", "b")
		if n := s.houses["a"].store.Stats().Tombstones + s.houses["b"].store.Stats().Tombstones; n != 2 {
			t.Errorf("a and b hold %d tombstones, want both", n)
		}
		for _, id := range []string{"a", "b", "c"} {
			if resp := s.do(id, &wire.Request{Op: wire.OpSync, Config: s.config("k"), Key: "k", Record: late}); resp.Status != wire.OK {
				t.Errorf("sync: %v", resp.Status)
			}
		}
		s.wantDeleted("k", "a", "b")
	})
}

// An owner takes a floor only for what it has guarded, and guards only while it may act.
func TestFloorNeedsAGuard(t *testing.T) {
	bubble(t, func(t *testing.T) {
		f := start(t, newStore(), true)
		f.want(f.request(wire.OpWrite, "k", ver(10), ""), wire.OK)
		slot, config := hashring.SlotOf("k"), f.config("k")
		f.want(&wire.Request{Op: wire.OpFloor, Config: config, Slot: slot, Ballot: ver(20)}, wire.BadRequest)
		next := later(1, "a", "b", "x")
		f.want(&wire.Request{Op: wire.OpGuard, Config: next, Slot: slot, Ballot: ver(20)}, wire.NotReady)
		f.want(&wire.Request{Op: wire.OpGuard, Config: config, Slot: slot, Ballot: record.Version{HLC: 1 << 63}}, wire.TooFarAhead)
		page := f.want(&wire.Request{Op: wire.OpGuard, Config: config, Slot: slot, Ballot: ver(20)}, wire.OK).Pulled
		if len(page.Records) != 1 || page.Guard != ver(20) || !page.Floor.IsZero() {
			t.Errorf("guarded: %+v, want the record and the guard", page)
		}
		f.want(f.request(wire.OpWrite, "k", ver(15), "late"), wire.Superseded)
		f.want(&wire.Request{Op: wire.OpFloor, Config: config, Slot: slot, Ballot: ver(20)}, wire.OK)
		f.want(&wire.Request{Op: wire.OpPull, Config: next, Slot: slot}, wire.OK)
		for _, op := range []wire.Op{wire.OpGuard, wire.OpFloor, wire.OpSync} {
			req := &wire.Request{Op: op, Config: config, Slot: slot, Ballot: ver(20)}
			if op == wire.OpSync {
				req.Key, req.Record = "k", record.Record{Key: "k", Version: ver(30)}
			}
			f.want(req, wire.Stale)
			req.Config = next
			f.want(req, wire.NotReady) // not settled
		}
	})
}

// beside returns another key of the slot that key is in.
func beside(key string) string {
	for i := 0; ; i++ {
		if other := fmt.Sprint("beside", i); hashring.SlotOf(other) == hashring.SlotOf(key) {
			return other
		}
	}
}

// A ballot that one owner has prepared, and nobody has used, outlives the tombstone under it. The owners count as the same
// without it.
func TestTombstonesUnderABallotAreCollected(t *testing.T) {
	bubble(t, func(t *testing.T) {
		s := newStreet(t, replica.UpkeepOptions{Every: 2 * time.Minute}, "a", "b", "c")
		time.Sleep(10 * time.Second) // fake time
		s.write("key", s.at(0), "value", "a", "b", "c")
		s.write("key", s.at(0), "", "a", "b", "c")
		time.Sleep(9 * time.Minute)
		prepare := &wire.Request{Op: wire.OpPrepare, Config: s.config("key"), Key: "key", Ballot: s.at(0)}
		last, _, _ := strings.Cut(s.config("key").Owners[2], "/") // the first sees to the collection, and would wait for its own ballot
		if resp := s.do(last, prepare); resp.Status != wire.OK {
			t.Fatalf("prepare: %v", resp.Status)
		}
		time.Sleep(12 * time.Minute)
		s.wantNoTombstones("a", "b", "c")
		s.wantSame("a", "b", "c")
		s.wantDeleted("key", "a", "b", "c")
		earlier := &wire.Request{Op: wire.OpPrepare, Config: s.config("key"), Key: "key", Ballot: record.Version{HLC: prepare.Ballot.HLC, Writer: prepare.Ballot.Writer - 1}}
		if resp := s.do(last, earlier); resp.Status != wire.Superseded {
			t.Errorf("an earlier ballot is answered %v, want superseded: the promise must not go with the tombstone", resp.Status)
		}
	})
}

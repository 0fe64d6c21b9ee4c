package replica_test

import (
	"testing"
	"time"

	"ringkv/hashring"
	"ringkv/hashring/placement"
	"ringkv/node/record"
	"ringkv/node/replica"
	"ringkv/node/wire"
)

// a and c hold the same as b, besides a ballot, and tell b of nothing else. What they don't tell of isn't deleted, though it's below the floor that all have.
func TestWhoHoldsTheSameLosesNothingBelowTheFloor(t *testing.T) {
	bubble(t, func(t *testing.T) {
		s := newStreetOf(t, replica.UpkeepOptions{}, func(slot int) bool { return slot == hashring.SlotOf("k") }, "a", "b", "c", "d")
		time.Sleep(10 * time.Second) // fake time
		keys, slot, config := oneSlot(20), hashring.SlotOf("k"), s.config("k")
		s.fill(keys, []byte("value"), "a", "b", "c")
		floor := s.at(0)
		for _, op := range []wire.Op{wire.OpGuard, wire.OpFloor} {
			for _, id := range []string{"a", "b", "c"} {
				if resp := s.do(id, &wire.Request{Op: op, Config: config, Slot: slot, Ballot: floor}); resp.Status != wire.OK {
					t.Fatalf("op %d: %v (%s)", op, resp.Status, resp.Detail)
				}
			}
		}
		ballot := s.at(-time.Second)
		for _, id := range []string{"a", "c"} {
			if resp := s.do(id, &wire.Request{Op: wire.OpPrepare, Config: config, Key: keys[7], Ballot: ballot}); resp.Status != wire.OK {
				t.Fatalf("prepare on %s: %v (%s)", id, resp.Status, resp.Detail)
			}
		}
		s.move("b", "c", "d")
		time.Sleep(15 * time.Second)
		if rec, _, err := s.houses["b"].store.Get(keys[7]); err != nil || rec.Ballot != ballot {
			t.Errorf("b holds %+v, %v, want the ballot", rec, err)
		}
		for _, key := range keys {
			s.wantHeld(key, "value", "b", "c", "d")
		}
		if _, unsettled := s.houses["b"].Slots(); unsettled != 0 {
			t.Errorf("%d slots aren't settled", unsettled)
		}
	})
}

// The others hold the very record that this node holds, and one of them has prepared a ballot above it: the pull of the key brings that.
func TestPullOfAHeldKeyBringsItsBallot(t *testing.T) {
	bubble(t, func(t *testing.T) {
		rec := record.Record{Key: "k", Version: ver(10), Value: []byte("ten")}
		j := join(t, newStore(), func(j *joining, node string, req *wire.Request) *wire.Response {
			told := rec
			if node == "b" && req.Config.Generation == 2 {
				told.Ballot = ver(20)
			}
			return pulled(node+"/disk-"+node, j.old, []*placement.Config{j.old, req.Config}, told)
		})
		j.want(j.read(j.now), ok)
		if r := j.want(j.read(later(2, "a", "b", "c")), ok); r.Version != ver(20) || r.Firm {
			t.Errorf("read %+v, want it below a ballot of 20 and not firm", r)
		}
	})
}

// What is asked for by name promises the config like any other pull, before the answer and for good, whether or not this node is one of its owners.
func TestFetchPromises(t *testing.T) {
	bubble(t, func(t *testing.T) {
		st := newStore()
		j := join(t, st, well)
		fetch := func(c *placement.Config) *wire.Request {
			return &wire.Request{Op: wire.OpFetch, Config: c, Slot: hashring.SlotOf("k"), Keys: []string{"k"}}
		}
		j.want(fetch(later(3, "g", "h", "i")), wire.OK)
		j.want(j.read(j.now), wire.Stale)
		j.stop()
		j = join(t, st, well)
		j.want(fetch(later(2, "a", "b", "c")), wire.Stale)
	})
}

package replica_test

import (
	"testing"
	"time"

	"ringkv/hashring"
	"ringkv/hashring/placement"
	"ringkv/node/replica"
	"ringkv/node/wire"
)

// TestAForkedSlotGoesOnAboveItsPromises: two of three owners have promised generation 1, which Consul has lost, and another generation 1 is
// written. No majority serves their slot in that, as it does all others, and they say so. It goes on at a generation above what they promised.
func TestAForkedSlotGoesOnAboveItsPromises(t *testing.T) {
	bubble(t, func(t *testing.T) {
		s := newStreet(t, replica.UpkeepOptions{}, "a", "b", "c", "d")
		time.Sleep(10 * time.Second) // fake time
		slot := hashring.SlotOf("k")
		s.write("k", s.at(0), "here", "a", "b", "c")
		s.write("key1", s.at(0), "there", "a", "b", "c")
		lost := &placement.Config{Generation: 1, Owners: []string{"b/disk-b", "c/disk-c", "d/disk-d"}}
		for _, id := range []string{"b", "c"} {
			if resp := s.do(id, &wire.Request{Op: wire.OpPull, Config: lost, Slot: slot}); resp.Status != wire.OK {
				t.Fatalf("%s answers %v (%s) to a pull at the lost generation", id, resp.Status, resp.Detail)
			}
		}
		s.move("d", "a", "b")
		time.Sleep(time.Minute)
		serving := func(key string) (n int) {
			for _, id := range []string{"a", "b", "d"} {
				if resp := s.do(id, &wire.Request{Op: wire.OpRead, Config: s.config(key), Key: key}); resp.Status == wire.OK {
					n++
				}
			}
			return n
		}
		if forked, other := serving("k"), serving("key1"); forked > 1 || other != 3 {
			t.Fatalf("%d owners serve the slot, and %d another, want no majority and all", forked, other)
		}
		var promised uint64
		for _, h := range s.houses {
			p, _ := h.Progress()
			promised = max(promised, p.Promised)
		}
		if p, ok := s.houses["b"].Progress(); !ok || p.Generation != 1 || p.Promised != 2 || promised != 2 {
			t.Fatalf("Progress of b = %+v, and the highest promise is %d, want 2 with a placement of generation 1", p, promised)
		}
		doc, err := placement.Next(s.doc, s.doc.Nodes, "above")
		if err == nil {
			doc, err = doc.Above(promised)
		}
		if err != nil {
			t.Fatal(err)
		}
		s.doc = doc
		s.look()
		time.Sleep(time.Minute)
		for _, id := range []string{"a", "b", "d"} {
			p, _ := s.houses[id].Progress()
			if p.Generation != 3 || p.Unsettled != 0 || p.Promised != 3 {
				t.Errorf("Progress of %s = %+v, want generation 3 settled", id, p)
			}
		}
		if n := serving("k"); n != 3 {
			t.Errorf("%d owners serve the slot, want all", n)
		}
		s.wantHeld("k", "here", "a", "b", "d")
		s.wantSame("a", "b", "d")
	})
}

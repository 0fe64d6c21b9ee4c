package replica_test

import (
	"bytes"
	"sync"
	"testing"
	"time"

	"ringkv/hashring"
	"ringkv/node/replica"
	"ringkv/node/wire"
)

// Two of three earlier owners pass their checks and answer nothing: one slot finds that out, and those behind it have their turn all the same.
func TestSilentOwnersHoldUpOneSlot(t *testing.T) {
	bubble(t, func(t *testing.T) {
		s := newStreet(t, replica.UpkeepOptions{}, "a", "b", "c", "d")
		time.Sleep(10 * time.Second) // fake time
		s.write("k", s.at(0), "value", "a", "b", "c")
		var mu sync.Mutex
		turns := map[int]bool{}
		s.interfere(func(from, to string, req *wire.Request) *wire.Response {
			switch {
			case from != "d" || req.Op != wire.OpPull:
			case to == "c":
				mu.Lock()
				defer mu.Unlock()
				turns[req.Slot] = true
			default:
				time.Sleep(time.Minute) // fake time: longer than anyone waits
			}
			return nil
		})
		s.move("a", "b", "d")
		time.Sleep(15 * time.Second)
		owned, unsettled := s.houses["d"].Slots()
		mu.Lock()
		if unsettled != owned || owned < 10 || len(turns) != owned {
			t.Errorf("%d of %d slots had their turn, want all of many; %d are not settled", len(turns), owned, unsettled)
		}
		mu.Unlock()
		s.interfere(nil)
		time.Sleep(45 * time.Second)
		s.wantHeld("k", "value", "d")
		if _, unsettled := s.houses["d"].Slots(); unsettled != 0 {
			t.Errorf("%d slots aren't settled after all", unsettled)
		}
	})
}

// What a disk takes for large values doesn't keep them from moving as fast as -move-rate allows, which is 20 MiB a second unless it's set; after
// a page of small ones, moving rests for longer than that took.
func TestLargeValuesMoveAtTheRate(t *testing.T) {
	const took = 40 * time.Millisecond // for one page
	for _, c := range []struct {
		keys, bytes int
		want        func(pause time.Duration) bool
	}{
		{8, 1 << 20, func(pause time.Duration) bool { return pause <= time.Second/20 }},
		{3 * wire.MaxPage / 2, 100, func(pause time.Duration) bool { return pause >= 4*took }},
	} {
		bubble(t, func(t *testing.T) {
			s := newStreetOf(t, replica.UpkeepOptions{}, func(slot int) bool { return slot == hashring.SlotOf("k") }, "a", "b", "c", "d")
			time.Sleep(10 * time.Second) // fake time
			s.fill(oneSlot(c.keys), bytes.Repeat([]byte("v"), c.bytes), "a", "b", "c")
			var mu sync.Mutex
			var began []time.Time
			s.interfere(func(_, _ string, req *wire.Request) *wire.Response {
				if req.Op == wire.OpFetch {
					mu.Lock()
					began = append(began, time.Now())
					mu.Unlock()
					time.Sleep(took) // fake time
				}
				return nil
			})
			s.move("b", "c", "d")
			time.Sleep(15 * time.Second)
			s.wantSame("b", "c", "d")
			mu.Lock()
			defer mu.Unlock()
			if len(began) < 3 {
				t.Fatalf("fetched by %d pages, want some", len(began))
			}
			for i := range began[1:] {
				if pause := began[i+1].Sub(began[i]); !c.want(pause) {
					t.Errorf("values of %d bytes: %v from page to page, of which each took %v", c.bytes, pause, took)
				}
			}
		})
	}
}

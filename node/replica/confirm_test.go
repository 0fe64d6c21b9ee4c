package replica_test

import (
	"fmt"
	"sync"
	"testing"
	"time"

	"ringkv/hashring"
	"ringkv/node/replica"
	"ringkv/node/wire"
)

// Owners that stay find out about many slots at a time that they lack nothing, without asking who comes; a slot in which one lacks something has its turn behind them.
func TestOwnersThatStayAreDoneSoon(t *testing.T) {
	const took = 20 * time.Millisecond // for one answer
	bubble(t, func(t *testing.T) {
		s := newStreet(t, replica.UpkeepOptions{}, "a", "b", "c", "d")
		time.Sleep(10 * time.Second) // fake time
		for _, key := range []string{"key1", "key2", "key3"} {
			s.write(key, s.at(0), "value", "a", "b", "c")
		}
		var mu sync.Mutex
		var began, ended time.Time
		slots, ofNew := map[int]bool{}, 0
		s.interfere(func(from, to string, req *wire.Request) *wire.Response {
			if from != "b" || req.Op != wire.OpPull {
				return nil
			}
			mu.Lock()
			if ended = time.Now(); began.IsZero() {
				began = ended
			}
			slots[req.Slot] = true
			if to == "d" {
				ofNew++
			}
			mu.Unlock()
			time.Sleep(took) // fake time
			return nil
		})
		s.write("key1", s.at(0), "newer", "a", "c")
		s.move("b", "c", "d")
		time.Sleep(10 * time.Second)
		s.wantHeld("key1", "newer", "b", "c", "d")
		if _, unsettled := s.houses["b"].Slots(); unsettled != 0 {
			t.Errorf("%d slots aren't settled", unsettled)
		}
		mu.Lock()
		defer mu.Unlock()
		if most := time.Duration(len(slots)) * took / 5; len(slots) < 100 || ended.Sub(began) > most {
			t.Errorf("b asked about %d slots for %v, want many in %v", len(slots), ended.Sub(began), most)
		}
		if ofNew > 4 {
			t.Errorf("b asked the node that comes %d times", ofNew)
		}
	})
}

// What an owner that stays asks first is lost, as with nodes that die just then and come back. It asks again soon, slot by slot.
func TestOwnersThatStayWaitForNoLostAnswer(t *testing.T) {
	bubble(t, func(t *testing.T) {
		s := newStreet(t, replica.UpkeepOptions{}, "a", "b", "c", "d")
		time.Sleep(10 * time.Second) // fake time
		s.write("key1", s.at(0), "value", "a", "b", "c")
		var mu sync.Mutex
		var began time.Time
		s.interfere(func(from, _ string, req *wire.Request) *wire.Response {
			if from != "b" || req.Op != wire.OpPull {
				return nil
			}
			mu.Lock()
			if began.IsZero() {
				began = time.Now()
			}
			lost := time.Since(began) < time.Second
			mu.Unlock()
			if lost {
				time.Sleep(time.Minute) // fake time: longer than anyone waits
			}
			return nil
		})
		s.move("b", "c", "d")
		time.Sleep(5 * time.Second)
		if _, unsettled := s.houses["b"].Slots(); unsettled != 0 {
			t.Errorf("%d slots aren't settled after 5 s", unsettled)
		}
	})
}

// A node that comes fetches for minutes, and a later placement doesn't wait for that: what it has settled by then, it settles there soon.
func TestLaterPlacementDoesNotWaitForAMove(t *testing.T) {
	bubble(t, func(t *testing.T) {
		s := newStreet(t, replica.UpkeepOptions{}, "a", "b", "c", "d")
		time.Sleep(10 * time.Second) // fake time
		for i := range 300 {
			s.write(fmt.Sprint("key", i), s.at(0), "value", "a", "b", "c")
		}
		s.interfere(func(_, _ string, req *wire.Request) *wire.Response {
			if req.Op == wire.OpFetch {
				time.Sleep(time.Second) // fake time
			}
			return nil
		})
		s.move("a", "b", "c", "d")
		time.Sleep(time.Minute)
		d := s.houses["d"]
		var before []int
		for slot := range hashring.Slots {
			if d.SlotState(slot) == "settled" {
				before = append(before, slot)
			}
		}
		s.move("a", "b", "d")
		time.Sleep(5 * time.Second)
		moved := 0
		for _, slot := range before {
			if s.view.Load().Config(slot).Generation < 2 {
				continue
			}
			if moved++; d.SlotState(slot) != "settled" {
				t.Errorf("slot %d isn't settled", slot)
			}
		}
		if _, unsettled := d.Slots(); moved == 0 || unsettled == 0 {
			t.Errorf("%d slots to settle again, and %d others: that shows nothing", moved, unsettled)
		}
	})
}

package replica_test

import (
	"bytes"
	"slices"
	"sync"
	"testing"
	"time"

	"ringkv/hashring"
	"ringkv/node/record"
	"ringkv/node/replica"
	"ringkv/node/store"
	"ringkv/node/wire"
)

// oneSlot are n keys of the slot of k, sorted.
func oneSlot(n int) []string {
	var keys []string
	for at := 0; len(keys) < n; at++ {
		if key := "n" + string(rune('a'+at%26)) + string(rune('0'+at/26%500)) + string(rune('0'+at/26/500)); hashring.SlotOf(key) == hashring.SlotOf("k") {
			keys = append(keys, key)
		}
	}
	slices.Sort(keys)
	return keys
}

// fill puts a record of each key straight into the stores of these nodes.
func (s *street) fill(keys []string, value []byte, ids ...string) {
	s.t.Helper()
	var b store.Batch
	for i, key := range keys {
		b.Records = append(b.Records, record.Record{Key: key, Version: record.Version{HLC: 1 << 20, Writer: uint64(i + 1)}, Value: value})
	}
	for _, id := range ids {
		if err := s.houses[id].store.(*troubledStore).Store.Apply(b); err != nil {
			s.t.Fatal(err)
		}
	}
}

// count counts the requests about the slot of k that nodes send from now on, by who sends them.
func (s *street) count() (asked func(from string) int) {
	var mu sync.Mutex
	n := map[string]int{}
	s.interfere(func(from, _ string, req *wire.Request) *wire.Response {
		if req.Op == wire.OpPull || req.Op == wire.OpFetch {
			mu.Lock()
			defer mu.Unlock()
			n[from]++
		}
		return nil
	})
	return func(from string) int {
		mu.Lock()
		defer mu.Unlock()
		return n[from]
	}
}

// What a node that joins asks for goes by pages, not by records; and owners that hold the same find that out with one question.
func TestMovesAskForPages(t *testing.T) {
	bubble(t, func(t *testing.T) {
		const pages = 4
		s := newStreetOf(t, replica.UpkeepOptions{}, func(slot int) bool { return slot == hashring.SlotOf("k") }, "a", "b", "c", "d")
		time.Sleep(10 * time.Second) // fake time
		keys := oneSlot(pages*wire.MaxPage - 1)
		s.fill(keys, []byte("value"), "a", "b", "c")
		asked := s.count()
		s.move("b", "c", "d")
		time.Sleep(15 * time.Second)
		s.wantSame("b", "c", "d")
		s.wantHeld(keys[0], "value", "d")
		if n := asked("d"); n < pages || n > pages*(3+2)+4 { // each page of three, and its values of one, in two lots
			t.Errorf("who joins asked %d times for %d records, want a few times for each page", n, len(keys))
		}
		for _, id := range []string{"b", "c"} {
			if n := asked(id); n == 0 || n > 6 {
				t.Errorf("%s, which lacks nothing, asked %d times, want each of the others once or twice", id, n)
			}
		}
	})
}

// Values that are too large for one page come one by one.
func TestLargeValuesAreFetched(t *testing.T) {
	bubble(t, func(t *testing.T) {
		s := newStreetOf(t, replica.UpkeepOptions{}, func(slot int) bool { return slot == hashring.SlotOf("k") }, "a", "b", "c", "d")
		time.Sleep(10 * time.Second) // fake time
		keys, value := oneSlot(5), bytes.Repeat([]byte("v"), 1<<20)
		s.fill(keys, value, "a", "b", "c")
		resp := s.do("a", &wire.Request{Op: wire.OpFetch, Config: s.config("k"), Slot: hashring.SlotOf("k"), Keys: keys})
		if p := resp.Pulled; p == nil || len(p.Records) != 1 || !p.More || !bytes.Equal(p.Records[0].Value, value) {
			t.Fatalf("was answered %v with %d records, want the first one, and that there is more", resp.Status, len(resp.Pulled.Records))
		}
		s.move("b", "c", "d")
		time.Sleep(15 * time.Second)
		s.wantSame("b", "c", "d")
		s.wantHeld(keys[4], string(value), "d")
	})
}

// Keys are fetched of one slot, in order, and only those that can be told of are.
func TestFetch(t *testing.T) {
	bubble(t, func(t *testing.T) {
		f := start(t, newStore(), true)
		keys := oneSlot(3)
		for i, key := range keys[:2] {
			f.want(f.request(wire.OpWrite, key, ver(10+i), key), wire.OK)
		}
		slot := hashring.SlotOf("k")
		ask := func(slot int, keys ...string) *wire.Request {
			return &wire.Request{Op: wire.OpFetch, Config: f.config("k"), Slot: slot, Keys: keys}
		}
		p := f.want(ask(slot, keys...), wire.OK).Pulled
		if len(p.Records) != 2 || p.More || string(p.Records[1].Value) != keys[1] {
			t.Errorf("fetched %+v, want the two that are there", p)
		}
		for name, req := range map[string]*wire.Request{
			"none":          ask(slot),
			"out of order":  ask(slot, keys[1], keys[0]),
			"twice":         ask(slot, keys[0], keys[0]),
			"another slot":  ask((slot+1)%hashring.Slots, keys[0]),
			"no such slot":  ask(hashring.Slots, keys[0]),
			"of two slots":  ask(slot, "a", keys[0]),
			"without a key": ask(slot, ""),
		} {
			if got := <-f.send(req); got.Status != wire.BadRequest {
				t.Errorf("%s: %v, want a refusal", name, got.Status)
			}
		}
	})
}

// Who holds the same is told only of what no digest tells of: of ballots. Another floor is not the same.
func TestWhoHoldsTheSameIsToldOfBallots(t *testing.T) {
	bubble(t, func(t *testing.T) {
		s := newStreetOf(t, replica.UpkeepOptions{}, func(slot int) bool { return slot == hashring.SlotOf("k") }, "a", "b", "c", "d")
		time.Sleep(10 * time.Second) // fake time
		keys, slot := oneSlot(20), hashring.SlotOf("k")
		s.fill(keys, []byte("value"), "a", "b", "c")
		ask := func(digest uint64) *wire.Pulled {
			return s.do("a", &wire.Request{Op: wire.OpPull, Config: s.config("k"), Slot: slot, HeadOnly: true, Digest: digest}).Pulled
		}
		same := s.houses["b"].store.Digest(slot)
		if p := ask(same); !p.Same || len(p.Records) != 0 || p.More {
			t.Errorf("who holds the same is told %+v", p)
		}
		if p := ask(same + 1); p.Same || len(p.Records) != len(keys) {
			t.Errorf("who holds something else is told of %d records, same: %v", len(p.Records), p.Same)
		}
		ballot := s.at(0)
		for _, id := range []string{"a", "c"} {
			if resp := s.do(id, &wire.Request{Op: wire.OpPrepare, Config: s.config("k"), Key: keys[7], Ballot: ballot}); resp.Status != wire.OK {
				t.Fatalf("prepare on %s: %v", id, resp.Status)
			}
		}
		if p := ask(same); !p.Same || len(p.Records) != 1 || p.Records[0].Ballot != ballot {
			t.Errorf("who holds the same, but for a ballot, is told %+v", p)
		}
		s.move("b", "c", "d") // b learns of the ballot
		time.Sleep(15 * time.Second)
		for _, id := range []string{"b", "d"} {
			if rec, _, err := s.houses[id].store.Get(keys[7]); err != nil || rec.Ballot != ballot || string(rec.Value) != "value" {
				t.Errorf("%s holds %+v, %v, want the value and the ballot", id, rec, err)
			}
		}
		floor := s.at(0)
		for _, op := range []wire.Op{wire.OpGuard, wire.OpFloor} {
			if resp := s.do("b", &wire.Request{Op: op, Config: s.config("k"), Slot: slot, Ballot: floor}); resp.Status != wire.OK {
				t.Fatalf("op %d: %v (%s)", op, resp.Status, resp.Detail)
			}
		}
		same = s.houses["b"].store.Digest(slot)
		for digest, want := range map[uint64]bool{same: false, same + store.Fingerprint("", floor, true): true} {
			p := s.do("b", &wire.Request{Op: wire.OpPull, Config: s.config("k"), Slot: slot, HeadOnly: true, Digest: digest}).Pulled
			if p.Same != want {
				t.Errorf("the same: %v, want %v: the floor is part of it", p.Same, want)
			}
		}
	})
}

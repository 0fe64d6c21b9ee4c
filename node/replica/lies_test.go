package replica_test

import (
	"fmt"
	"slices"
	"sync/atomic"
	"testing"
	"time"

	"ringkv/hashring"
	"ringkv/node/record"
	"ringkv/node/replica"
	"ringkv/node/wire"
)

// b answers wrongly, in each of the ways that a node with a bug might. The others keep what they hold, and once b is well again all hold
// the same.
func TestLyingOwnerDoesNoHarm(t *testing.T) {
	page := func(change func(p *wire.Pulled)) func(req *wire.Request, p *wire.Pulled) {
		return func(req *wire.Request, p *wire.Pulled) {
			if req.Op == wire.OpPull && req.HeadOnly {
				change(p)
			}
		}
	}
	foreign := record.Record{Key: "zzz-foreign", Version: record.Version{HLC: 1 << 60, Writer: 1}, Value: []byte("lie")}
	for name, lie := range map[string]func(req *wire.Request, p *wire.Pulled){
		"wrong digest": func(_ *wire.Request, p *wire.Pulled) { p.Digest++ },
		"same digest":  func(_ *wire.Request, p *wire.Pulled) { p.Digest = 0 },
		"another node": func(_ *wire.Request, p *wire.Pulled) { p.Node = "b/other" },
		"cut off": page(func(p *wire.Pulled) {
			p.Records, p.More = p.Records[:len(p.Records)/2], false
		}),
		"out of order":    page(func(p *wire.Pulled) { slices.Reverse(p.Records) }),
		"twice":           page(func(p *wire.Pulled) { p.Records = append(slices.Clone(p.Records), p.Records...) }),
		"of another slot": page(func(p *wire.Pulled) { p.Records = append(slices.Clone(p.Records), foreign) }),
		"no end":          page(func(p *wire.Pulled) { p.Records, p.More = nil, true }),
		"same page again": page(func(p *wire.Pulled) { p.More = len(p.Records) > 0 }),
		"all the same":    page(func(p *wire.Pulled) { p.Same, p.Records, p.More = true, nil, false }),
		"of another config": page(func(p *wire.Pulled) {
			p.Settled = later(7, "a", "b", "c")
		}),
		"another key": func(req *wire.Request, p *wire.Pulled) {
			if req.Op == wire.OpFetch || req.Op == wire.OpPull && req.Key != "" {
				p.Records = []record.Record{foreign}
			}
		},
		"nothing there": func(req *wire.Request, p *wire.Pulled) {
			if req.Op == wire.OpFetch || req.Op == wire.OpPull && req.Key != "" {
				p.Records = nil
			}
		},
	} {
		t.Run(name, func(t *testing.T) {
			bubble(t, func(t *testing.T) { wantHarmless(t, lie) })
		})
	}
}

func wantHarmless(t *testing.T, lie func(req *wire.Request, p *wire.Pulled)) {
	s := newStreet(t, replica.UpkeepOptions{}, "a", "b", "c")
	time.Sleep(10 * time.Second) // fake time
	var told atomic.Int64
	s.interfere(func(_, to string, req *wire.Request) *wire.Response {
		if to != "b" || !slices.Contains([]wire.Op{wire.OpPull, wire.OpFetch, wire.OpSlot}, req.Op) {
			return nil
		}
		resp := s.do("b", req)
		if resp.Pulled != nil {
			p := *resp.Pulled
			lie(req, &p)
			resp.Pulled = &p
			told.Add(1)
		}
		return &resp
	})
	var keys []string // of one slot
	for i := 0; len(keys) < 20; i++ {
		if key := fmt.Sprint("key", i); hashring.SlotOf(key) == hashring.SlotOf("k") {
			keys = append(keys, key)
		}
	}
	for i, key := range keys {
		s.write(key, s.at(time.Second), "old", "a", "b", "c")
		switch i % 3 {
		case 0:
			s.write(key, s.at(0), "new", "b")
		case 1:
			s.write(key, s.at(0), "new", "a", "c")
		}
	}
	time.Sleep(70 * time.Second)
	if told.Load() == 0 {
		t.Error("nobody was lied to")
	}
	for i, key := range keys {
		if i%3 == 1 {
			s.wantHeld(key, "new", "a", "c")
		}
	}
	if h, held := s.houses["a"].store.Head("zzz-foreign"); held {
		t.Errorf("a took a record that nobody asked for: %v", h)
	}
	s.interfere(nil)
	time.Sleep(70 * time.Second)
	s.wantSame("a", "b", "c")
	for i, key := range keys {
		if i%3 != 2 {
			s.wantHeld(key, "new", "a", "b", "c")
		}
	}
}

// All who are asked by a node that enters a config answer with keys that they weren't asked for, or in no order, in which nothing is found: it counts none of
// them, and the keys that they do hold aren't absent.
func TestWhoEntersCountsNoAnswerToSomethingElse(t *testing.T) {
	foreign := record.Record{Key: "zzz-foreign", Version: record.Version{HLC: 1 << 60, Writer: 1}, Deleted: true}
	for name, lie := range map[string]func(p *wire.Pulled){
		"another key":    func(p *wire.Pulled) { p.Records = []record.Record{foreign} },
		"and another":    func(p *wire.Pulled) { p.Records = append(slices.Clone(p.Records), foreign) },
		"the same twice": func(p *wire.Pulled) { p.Records = append(slices.Clone(p.Records), p.Records...) },
		"no end":         func(p *wire.Pulled) { p.Records, p.More = nil, true },
	} {
		t.Run(name, func(t *testing.T) {
			bubble(t, func(t *testing.T) {
				s := newStreetOf(t, replica.UpkeepOptions{}, func(slot int) bool { return slot == hashring.SlotOf("k") }, "a", "b", "c", "d")
				time.Sleep(10 * time.Second) // fake time
				s.write("k", s.at(time.Second), "value", "a", "b", "c")
				s.interfere(func(from, to string, req *wire.Request) *wire.Response {
					if from != "d" || req.Op != wire.OpPull {
						return nil
					}
					resp := s.do(to, req)
					if resp.Pulled != nil {
						p := *resp.Pulled
						lie(&p)
						resp.Pulled = &p
					}
					return &resp
				})
				s.move("b", "c", "d")
				if resp := s.do("d", &wire.Request{Op: wire.OpRead, Config: s.config("k"), Key: "k"}); resp.Status != wire.NotReady {
					t.Errorf("d answers %v, want that it isn't ready", resp.Status)
				}
				time.Sleep(10 * time.Second)
				if _, unsettled := s.houses["d"].Slots(); unsettled != 1 {
					t.Error("d has settled the slot, which nobody told it of")
				}
				if h, held := s.houses["d"].store.Head(foreign.Key); held {
					t.Errorf("d took a record of another slot: %v", h)
				}
				s.interfere(nil)
				time.Sleep(10 * time.Second)
				s.wantHeld("k", "value", "b", "c", "d")
			})
		})
	}
}

package replica_test

import (
	"context"
	"fmt"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"ringkv/hashring"
	"ringkv/hashring/membership"
	"ringkv/hashring/placement"
	"ringkv/node/record"
	"ringkv/node/replica"
	"ringkv/node/store"
	"ringkv/node/store/disk/faulty"
	"ringkv/node/store/jsonstore"
	"ringkv/node/wire"
)

// A street is real replicas that keep house beside each other, with a network between them that can be cut. Its time is fake.
type street struct {
	t        *testing.T
	doc      *placement.Document
	view     atomic.Pointer[placement.View]
	options  replica.UpkeepOptions
	only     func(slot int) bool
	messages sync.WaitGroup

	mu     sync.Mutex // guards the rest
	houses map[string]*house
	says   func(from, to string, req *wire.Request) *wire.Response // if set, may answer in to's place
}

type house struct {
	*replica.Replica
	id    string
	clock *record.Clock
	store store.Store
	disk  *faulty.Disk // if set, the store is one on this disk
	wake  chan struct{}
	stop  func()
	up    bool
}

// onDisk is the one of a street's nodes that keeps its data on a disk.
const onDisk = "z"

// newStreet starts nodes, of which the first three own everything in generation 0.
func newStreet(t *testing.T, opt replica.UpkeepOptions, ids ...string) *street {
	t.Helper()
	return newStreetOf(t, opt, inhabited(), ids...)
}

// newStreetOf is newStreet with these slots only, or all where only is nil.
func newStreetOf(t *testing.T, opt replica.UpkeepOptions, only func(slot int) bool, ids ...string) *street {
	t.Helper()
	s := &street{t: t, options: opt, only: only, houses: map[string]*house{}}
	doc, err := placement.First(nodesOf(ids[:3]...), 3, "test")
	if err != nil {
		t.Fatal(err)
	}
	s.doc = doc
	for i, id := range ids {
		h := &house{id: id, store: newStore(), clock: record.NewClock(time.Now, uint64(i+1), 5*time.Second)}
		if s.houses[id] = h; id == onDisk {
			h.disk = faulty.New()
		}
	}
	for _, id := range ids {
		s.start(id)
	}
	t.Cleanup(func() {
		for _, h := range s.houses {
			if h.up {
				s.kill(h.id)
			}
		}
		s.messages.Wait()
	})
	return s
}

// look gives all a view in which those pass that are up.
func (s *street) look() {
	s.t.Helper()
	snap := &membership.Snapshot{Changed: time.Now()}
	s.mu.Lock()
	for _, id := range []string{"a", "b", "c", "d", onDisk} {
		if h := s.houses[id]; h != nil && h.up {
			snap.Members = append(snap.Members, membership.Member{Member: hashring.Member{ID: id, Weight: 1}, Disk: "disk-" + id, Addr: id + ":1"})
		}
	}
	s.mu.Unlock()
	view, err := placement.NewView(s.doc, snap)
	if err != nil {
		s.t.Fatal(err)
	}
	s.view.Store(view)
	for _, h := range s.houses {
		if h.wake != nil {
			select {
			case h.wake <- struct{}{}:
			default:
			}
		}
	}
}

// move makes these nodes the owners of everything, as far as their number goes.
func (s *street) move(ids ...string) {
	s.t.Helper()
	doc, err := placement.Next(s.doc, nodesOf(ids...), "test")
	if err != nil {
		s.t.Fatal(err)
	}
	s.doc = doc
	s.look()
}

// inhabited are the slots that most tests have keys in. The others would only cost time.
func inhabited() func(slot int) bool {
	slots := map[int]bool{hashring.SlotOf("k"): true, hashring.SlotOf("key"): true}
	for i := range 300 { // the most that one of them has
		slots[hashring.SlotOf(fmt.Sprint("key", i))] = true
	}
	return func(slot int) bool { return slots[slot] }
}

func (s *street) start(id string) {
	s.t.Helper()
	h := s.houses[id]
	s.mu.Lock()
	h.up = true
	s.mu.Unlock()
	s.look()
	if h.disk != nil {
		st, err := jsonstore.Open(h.disk, jsonstore.Options{Node: id, Disk: "disk-" + id})
		if err != nil {
			s.t.Fatal(err)
		}
		h.store = st
	}
	r, err := replica.New(h.store, replica.Options{ID: id, Disk: "disk-" + id, View: s.view.Load, Peers: &door{s, id}, Clock: h.clock, Only: s.only})
	if err != nil {
		s.t.Fatal(err)
	}
	opt := s.options
	opt.Rand = rand.New(rand.NewPCG(uint64(id[0]), 1))
	h.wake = make(chan struct{}, 1)
	opt.Changed = h.wake
	ctx, cancel := context.WithCancel(context.Background())
	var running sync.WaitGroup
	running.Go(func() { r.Run(ctx) })
	running.Go(func() { r.Settle(ctx, nil) })
	running.Go(func() { r.Upkeep(ctx, opt) })
	h.stop = func() { cancel(); running.Wait() }
	s.mu.Lock()
	h.Replica = r
	s.mu.Unlock()
}

// kill ends a node. What it has stored stays.
func (s *street) kill(id string) {
	s.t.Helper()
	s.mu.Lock()
	h := s.houses[id]
	h.up = false
	s.mu.Unlock()
	s.look()
	h.stop()
	if h.disk != nil {
		if err := h.store.Close(); err != nil {
			s.t.Errorf("close the store of %s: %v", id, err)
		}
	}
}

// A door is where a node's requests leave it.
type door struct {
	s    *street
	from string
}

// Send implements replica.Peers.
func (d *door) Send(node, _ string, req *wire.Request, deadline time.Time, to chan<- wire.Reply) {
	s := d.s
	var once sync.Once
	reply := func(r wire.Reply) { once.Do(func() { r.Node = node; to <- r }) }
	late := time.AfterFunc(time.Until(deadline), func() { reply(wire.Reply{Err: fmt.Errorf("timed out: %w", wire.ErrNoAnswer)}) })
	s.messages.Go(func() {
		time.Sleep(time.Millisecond) // fake time
		s.mu.Lock()
		h, says := s.houses[node], s.says
		r, up := h.Replica, h.up && s.houses[d.from].up
		s.mu.Unlock()
		if says != nil {
			if resp := says(d.from, node, req); resp != nil {
				late.Stop()
				reply(wire.Reply{Response: *resp})
				return
			}
		}
		if !up || r == nil {
			late.Stop()
			reply(wire.Reply{Err: fmt.Errorf("no connection: %w", wire.ErrNotSent)})
			return
		}
		r.Handle(req, func(resp wire.Response) {
			late.Stop()
			reply(wire.Reply{Response: resp})
		})
	})
}

// interfere lets f answer in place of nodes from now on, where it returns something.
func (s *street) interfere(f func(from, to string, req *wire.Request) *wire.Response) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.says = f
}

// write stores a record on some nodes, as a coordinator would that reaches only those.
func (s *street) write(key string, v record.Version, value string, ids ...string) {
	s.t.Helper()
	time.Sleep(time.Millisecond) // fake time: no two writes have the same version
	rec := s.record(key, v, value)
	for _, id := range ids {
		if resp := s.do(id, &wire.Request{Op: wire.OpWrite, Config: s.config(key), Key: key, Record: rec}); resp.Status != wire.OK {
			s.t.Fatalf("write of %q at %v on %s: %v (%s)", key, v, id, resp.Status, resp.Detail)
		}
	}
}

// record returns one as a client would write it; an empty value stands for a delete.
func (s *street) record(key string, v record.Version, value string) record.Record {
	return record.Record{Key: key, Version: v, Value: []byte(value), Deleted: value == ""}
}

func (s *street) do(id string, req *wire.Request) wire.Response {
	answer := make(chan wire.Response, 1)
	s.houses[id].Handle(req, func(r wire.Response) { answer <- r })
	return <-answer
}

func (s *street) config(key string) *placement.Config {
	return s.view.Load().Config(hashring.SlotOf(key))
}

// wantHeld checks what these nodes hold of key; an empty value stands for none, or a tombstone.
func (s *street) wantHeld(key, value string, ids ...string) {
	s.t.Helper()
	for _, id := range ids {
		rec, _, err := s.houses[id].store.Get(key)
		if err != nil || string(rec.Value) != value {
			s.t.Errorf("%s holds %q of %q (%v), want %q", id, rec.Value, key, err, value)
		}
	}
}

// wantSame checks that these nodes hold the same in every slot.
func (s *street) wantSame(ids ...string) {
	s.t.Helper()
	for slot := range hashring.Slots {
		for _, id := range ids[1:] {
			if got, want := s.houses[id].store.Digest(slot), s.houses[ids[0]].store.Digest(slot); got != want {
				s.t.Errorf("slot %d: %s and %s hold something else", slot, id, ids[0])
			}
		}
	}
}

// at is a version of this moment, or a while before it.
func (s *street) at(before time.Duration) record.Version {
	return record.Version{HLC: uint64(time.Now().Add(-before).UnixMilli()) << 16, Writer: 99}
}

// Some writes reached one owner, some another, a delete reached two: all of them end up with the same.
func TestOwnersConverge(t *testing.T) {
	bubble(t, func(t *testing.T) {
		s := newStreetOf(t, replica.UpkeepOptions{}, nil, "a", "b", "c")
		time.Sleep(10 * time.Second) // fake time
		for i := range 2000 {
			key := fmt.Sprint("key", i)
			s.write(key, s.at(time.Second), key, "a", "b", "c")
			switch i % 4 {
			case 0:
				s.write(key, s.at(0), "new", "b")
			case 1:
				s.write(key, s.at(0), "", "a", "c")
			case 2:
				s.write(key+"x", s.at(0), "only here", "c")
			}
		}
		time.Sleep(time.Minute)
		s.wantSame("a", "b", "c")
		s.wantHeld("key4", "new", "a", "b", "c")
		s.wantHeld("key1", "", "a", "b", "c")
		s.wantHeld("key2x", "only here", "a", "b", "c")
		s.wantHeld("key3", "key3", "a", "b", "c")
	})
}

// A slot that is larger than a page, on one owner only.
func TestLongSlotIsRepairedPageByPage(t *testing.T) {
	bubble(t, func(t *testing.T) {
		s := newStreet(t, replica.UpkeepOptions{}, "a", "b", "c")
		time.Sleep(10 * time.Second) // fake time
		slot := hashring.SlotOf("k")
		n := 0
		for i := 0; n < 2*wire.MaxPage+10; i++ {
			key := fmt.Sprintf("key%07d", i)
			if hashring.SlotOf(key) != slot {
				continue
			}
			n++
			s.write(key, s.at(0), key, []string{"a", "b", "c"}[n%3])
		}
		time.Sleep(time.Minute)
		s.wantSame("a", "b", "c")
		if got := s.houses["a"].store.Stats().Keys; got != n {
			t.Errorf("a holds %d keys, want %d", got, n)
		}
	})
}

// A slot that is written to all the time is never the same twice. What an owner lacks there comes all the same, only later.
func TestSlotThatIsAlwaysWrittenToIsRepaired(t *testing.T) {
	bubble(t, func(t *testing.T) {
		s := newStreet(t, replica.UpkeepOptions{Full: 2 * time.Minute}, "a", "b", "c")
		time.Sleep(time.Minute) // fake time
		busy := 0
		for hashring.SlotOf(fmt.Sprint("busy", busy)) != hashring.SlotOf("k") {
			busy++
		}
		s.write("k", s.at(0), "only here", "c")
		for i := range 30 {
			if i == 6 {
				s.wantHeld("k", "", "a", "b") // else this shows nothing
			}
			s.write(fmt.Sprint("busy", busy), s.at(0), fmt.Sprint(i), "a", "b", "c")
			time.Sleep(5 * time.Second)
		}
		s.wantHeld("k", "only here", "a", "b", "c")
	})
}

// A node that was away has what it missed within a minute of its return, and those who stayed have what only it held.
func TestNodeThatWasAwayCatchesUp(t *testing.T) {
	bubble(t, func(t *testing.T) {
		s := newStreet(t, replica.UpkeepOptions{}, "a", "b", "c")
		time.Sleep(10 * time.Second) // fake time
		s.write("k", s.at(0), "old", "a", "b", "c")
		s.write("only", s.at(0), "on c", "c")
		s.kill("c")
		s.write("k", s.at(0), "new", "a", "b")
		time.Sleep(30 * time.Second)
		s.start("c")
		time.Sleep(30 * time.Second)
		s.wantHeld("k", "new", "a", "b", "c")
		s.wantHeld("only", "on c", "a", "b", "c")
		s.wantSame("a", "b", "c")
	})
}

// What moved is freed where it came from, once all new owners hold it, and not before.
func TestMovedSlotsAreFreed(t *testing.T) {
	bubble(t, func(t *testing.T) {
		s := newStreet(t, replica.UpkeepOptions{}, "a", "b", "c", "d")
		time.Sleep(10 * time.Second) // fake time
		s.write("k", s.at(0), "here", "a", "b", "c")
		s.kill("d")
		s.move("b", "c", "d")
		time.Sleep(time.Minute)
		s.wantHeld("k", "here", "a") // d has not settled: it may need a
		s.interfere(func(_, to string, req *wire.Request) *wire.Response {
			if to == "d" && req.Op == wire.OpSlot {
				return &wire.Response{Status: wire.Overloaded, Detail: "has too much to do"}
			}
			return nil
		})
		s.start("d")
		time.Sleep(time.Minute)
		s.wantHeld("k", "here", "a", "b", "c", "d") // d has settled, but hasn't said so
		s.kill("a")
		s.start("a")
		time.Sleep(time.Minute)
		s.wantHeld("k", "here", "a", "b", "c", "d")
		s.interfere(nil)
		time.Sleep(time.Minute)
		s.wantHeld("k", "here", "b", "c", "d")
		if _, held := s.houses["a"].store.Head("k"); held {
			t.Error("a still holds the key")
		}
		s.kill("a")
		s.start("a")
		time.Sleep(time.Minute)
		s.wantHeld("k", "", "a")
		if resp := s.do("a", &wire.Request{Op: wire.OpRead, Config: s.config("k"), Key: "k"}); resp.Status != wire.NotOwner {
			t.Errorf("a answers %v (%s), want not owner", resp.Status, resp.Detail)
		}
	})
}

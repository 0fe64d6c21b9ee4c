package coordinator_test

import (
	"fmt"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"ringkv/gateway/coordinator"
	"ringkv/hashring"
	"ringkv/hashring/membership"
	"ringkv/hashring/placement"
	"ringkv/integration/oracle"
	"ringkv/node/record"
)

// place moves the data to other nodes: it publishes the next generation to each viewer after a while of its own.
func (c *cluster) place(ids []string, viewers []*atomic.Pointer[placement.View], late func() time.Duration) {
	c.t.Helper()
	var nodes []placement.Node
	for _, id := range ids {
		nodes = append(nodes, placement.Node{ID: id, Weight: 1})
	}
	doc, err := placement.Next(c.doc, nodes, "test")
	if err != nil {
		c.t.Fatal(err)
	}
	c.doc = doc
	view := c.viewOf(doc)
	c.view.Store(view)
	for _, viewer := range viewers {
		delay := late()
		c.messages.Go(func() {
			time.Sleep(delay) // fake time
			for {
				old := viewer.Load()
				if old.Generation() >= view.Generation() || viewer.CompareAndSwap(old, view) {
					return
				}
			}
		})
	}
}

// viewOf makes a view in which every node passes.
func (c *cluster) viewOf(doc *placement.Document) *placement.View {
	c.t.Helper()
	snap := &membership.Snapshot{Changed: time.Now()}
	for _, id := range c.ids {
		snap.Members = append(snap.Members, membership.Member{Member: hashring.Member{ID: id, Weight: 1}, Addr: id + ":1"})
	}
	view, err := placement.NewView(doc, snap)
	if err != nil {
		c.t.Fatal(err)
	}
	return view
}

// TestLinearizableWhileTheRingChanges is TestLinearizable with data on the move: nodes join and leave, several
// generations overtake each other, gateways and nodes learn of them late or never, and nodes die meanwhile.
func TestLinearizableWhileTheRingChanges(t *testing.T) {
	first, last := uint64(1), uint64(*seeds/5)
	if *seed != 0 {
		first, last = *seed, *seed
	}
	acknowledged := 0
	for s := first; s <= last; s++ {
		ops := movingRun(t, s)
		for _, op := range ops {
			if op.Outcome == oracle.OK {
				acknowledged++
			}
			if *seed != 0 {
				t.Log(op)
			}
		}
		if err := oracle.CheckLinear(ops, time.Minute); err != nil {
			t.Fatalf("seed %d (repeat with -run %s -seed %d): %v", s, t.Name(), s, err)
		}
		if t.Failed() {
			t.Fatalf("seed %d (repeat with -run %s -seed %d)", s, t.Name(), s)
		}
	}
	if runs := int(last - first + 1); acknowledged < 40*runs {
		t.Fatalf("only %d operations acknowledged in %d runs: that shows nothing", acknowledged, runs)
	}
}

func movingRun(t *testing.T, seed uint64) []oracle.Op {
	var history *oracle.History
	synctest.Test(t, func(t *testing.T) {
		start := time.Now()
		history = oracle.NewHistory(func() time.Duration { return time.Since(start) })
		rng := rand.New(rand.NewPCG(seed, 3))
		c := newCluster(t, seed, 3, "a", "b", "c")
		for _, id := range []string{"d", "e", "f"} {
			c.add(id)
		}
		c.view.Store(c.viewOf(c.doc))
		var viewers []*atomic.Pointer[placement.View]
		for _, id := range c.ids {
			viewers = append(viewers, &c.nodes[id].view)
		}
		var cos []*coordinator.Coordinator
		for i := range 3 {
			own := new(atomic.Pointer[placement.View])
			viewers = append(viewers, own)
			skew := time.Duration(rng.IntN(4000)-2000) * time.Millisecond
			clock := record.NewClock(func() time.Time { return time.Now().Add(skew) }, uint64(i+1), 5*time.Second)
			co, err := coordinator.New(own.Load, c, clock, coordinator.Options{Timeout: 400 * time.Millisecond})
			if err != nil {
				t.Fatal(err)
			}
			cos = append(cos, co)
		}
		for _, v := range viewers {
			v.Store(c.view.Load())
		}
		var clients sync.WaitGroup
		for i := range 8 {
			own := rand.New(rand.NewPCG(seed, uint64(100+i)))
			clients.Go(func() {
				for n := range 20 {
					time.Sleep(time.Duration(own.ExpFloat64() * float64(15*time.Millisecond))) // fake time
					operate(t.Context(), history, cos[own.IntN(len(cos))], own, i, n)
				}
			})
		}
		var faults sync.WaitGroup
		faults.Go(func() { c.disturb(rng, c.ids) })
		moves := rand.New(rand.NewPCG(seed, 4))
		for range 2 + moves.IntN(4) {
			time.Sleep(time.Duration(moves.IntN(80)) * time.Millisecond)
			var ids []string
			for _, i := range moves.Perm(len(c.ids))[:1+moves.IntN(len(c.ids))] {
				ids = append(ids, c.ids[i])
			}
			c.place(ids, viewers, func() time.Duration { return time.Duration(moves.IntN(60)) * time.Millisecond })
		}
		clients.Wait()
		faults.Wait()
		c.wantSettled(10 * time.Second)
		for i, co := range cos {
			for _, key := range []string{"x", "y"} {
				op := history.Begin(8, oracle.Get, key, "")
				rec, err := co.Get(t.Context(), key, coordinator.ReadOptions{})
				if err != nil {
					t.Errorf("seed %d: coordinator %d can't read %q though all is well again: %v", seed, i, key, err)
				}
				end(op, err, oracle.Answer{Value: string(rec.Value), Found: rec.Exists()})
			}
		}
	})
	return history.Ops()
}

// wantSettled waits until the owners of both keys' slots have settled them.
func (c *cluster) wantSettled(patience time.Duration) {
	c.t.Helper()
	deadline := time.Now().Add(patience)
	for {
		late := ""
		view := c.view.Load()
		for _, key := range []string{"x", "y"} {
			slot := view.Slot(key)
			for _, o := range view.Owners(slot) {
				if s := c.nodes[o.ID].settledState(slot); s != "settled" {
					late = fmt.Sprintf("%s: slot %d of %q is %s", o.ID, slot, key, s)
				}
			}
		}
		if late == "" {
			return
		}
		if time.Now().After(deadline) {
			c.t.Errorf("not settled after %v: %s", patience, late)
			return
		}
		time.Sleep(100 * time.Millisecond) // fake time
	}
}

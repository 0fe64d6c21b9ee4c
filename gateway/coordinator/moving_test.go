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
	"ringkv/hashring/placement"
	"ringkv/integration/oracle"
	"ringkv/node/record"
	"ringkv/node/store/memstore"
)

// moves are how a run moves data, and who is told of it when.
type moves struct {
	kills  int           // how much likelier it is than else that a node dies
	eager  bool          // nodes settle at once, rather than some time
	most   time.Duration // between two placements
	wipe   string        // the node that loses its disk when it dies next; none if empty
	atOnce int           // nodes of a placement, at the least

	mu      sync.Mutex // guards the rest, and doc and the disks of nodes
	viewers []*viewer
	views   int
}

// A viewer has a view of its own, which may be late.
type viewer struct {
	view *atomic.Pointer[placement.View]
	wake chan<- struct{}
	mu   sync.Mutex // guards seen
	seen int
}

func (v *viewer) see(view *placement.View, number int) {
	v.mu.Lock()
	defer v.mu.Unlock()
	if number <= v.seen {
		return
	}
	v.seen = number
	v.view.Store(view)
	select {
	case v.wake <- struct{}{}:
	default:
	}
}

// watch gives a viewer its first view.
func (c *cluster) watch(view *atomic.Pointer[placement.View], wake chan<- struct{}) {
	view.Store(c.view.Load())
	c.moves.viewers = append(c.moves.viewers, &viewer{view: view, wake: wake})
}

// place moves the data to some of the nodes.
func (c *cluster) place(rng *rand.Rand) {
	c.t.Helper()
	c.moves.mu.Lock()
	defer c.moves.mu.Unlock()
	least := c.moves.atOnce
	var ids []string
	for _, i := range rng.Perm(len(c.ids))[:least+rng.IntN(len(c.ids)-least+1)] {
		ids = append(ids, c.ids[i])
	}
	doc, err := placement.Next(c.doc, c.placed(ids), "test")
	if err != nil {
		c.t.Fatal(err)
	}
	c.doc = doc
	c.publishLocked()
}

// publishLocked tells every viewer of the placement and of who passes, which is everyone, each after a while of its own.
func (c *cluster) publishLocked() {
	c.t.Helper()
	view := c.viewOf(c.ids)
	c.view.Store(view)
	c.moves.views++
	number := c.moves.views
	for _, v := range c.moves.viewers {
		c.mu.Lock()
		delay := time.Duration(c.rng.Int64N(int64(60 * time.Millisecond)))
		c.mu.Unlock()
		c.messages.Go(func() {
			time.Sleep(delay) // fake time
			v.see(view, number)
		})
	}
}

// replaceDisk gives the node that is to be wiped, if it is this one, an empty disk. It keeps its id and address.
func (c *cluster) replaceDisk(id string) {
	c.moves.mu.Lock()
	defer c.moves.mu.Unlock()
	if c.moves.wipe != id {
		return
	}
	c.moves.wipe = ""
	n := c.nodes[id]
	n.store, n.disk = memstore.Open(), n.disk+1
	c.publishLocked()
}

// TestLinearizableWhileTheRingChanges is TestLinearizable with data on the move: nodes join and leave, several
// generations overtake each other, gateways and nodes learn of them late or never, nodes die meanwhile, and in half of the
// runs one comes back under its id with an empty disk.
func TestLinearizableWhileTheRingChanges(t *testing.T) { wantLinearizable(t, *seeds/8, movingRun) }

func movingRun(t *testing.T, seed uint64) []oracle.Op {
	var history *oracle.History
	synctest.Test(t, func(t *testing.T) {
		start := time.Now()
		history = oracle.NewHistory(func() time.Duration { return time.Since(start) })
		rng := rand.New(rand.NewPCG(seed, 3))
		c := newCluster(t, seed, 3, "a", "b", "c")
		for _, id := range []string{"d", "e", "f"} {
			c.add(id)
			c.start(id)
		}
		c.moves.kills, c.moves.eager, c.moves.atOnce = 5*rng.IntN(2), rng.IntN(4) == 0, 1
		c.moves.most = []time.Duration{4, 20, 80}[rng.IntN(3)] * time.Millisecond
		if rng.IntN(2) == 0 { // one disk less is no loss where there are three copies
			c.moves.wipe, c.moves.atOnce = c.ids[rng.IntN(3)], 3
		}
		c.passing(c.ids...)
		for _, id := range c.ids {
			n := c.nodes[id]
			wake := n.wake
			if !c.moves.eager {
				wake = nil
			}
			c.watch(&n.view, wake)
		}
		var cos []*coordinator.Coordinator
		for i := range 3 {
			skew := time.Duration(rng.IntN(4000)-2000) * time.Millisecond
			clock := record.NewClock(func() time.Time { return time.Now().Add(skew) }, uint64(i+1), 5*time.Second)
			own := new(atomic.Pointer[placement.View])
			c.watch(own, nil)
			co, err := coordinator.New(own.Load, c, clock, coordinator.Options{Timeout: 400 * time.Millisecond})
			if err != nil {
				t.Fatal(err)
			}
			cos = append(cos, co)
		}
		var clients sync.WaitGroup
		for i := range 8 {
			own := rand.New(rand.NewPCG(seed, uint64(100+i)))
			clients.Go(func() {
				for n := range 17 {
					time.Sleep(time.Duration(own.ExpFloat64() * float64(15*time.Millisecond))) // fake time
					operate(t.Context(), history, cos[own.IntN(len(cos))], own, i, n)
				}
			})
		}
		var faults sync.WaitGroup
		faults.Go(func() { c.disturb(rng, c.ids) })
		moves := rand.New(rand.NewPCG(seed, 4))
		for range 3 + moves.IntN(5) {
			time.Sleep(time.Duration(moves.Int64N(int64(c.moves.most)))) // fake time
			if moves.IntN(3) == 0 {
				time.Sleep(time.Duration(moves.IntN(100)) * time.Millisecond)
			}
			c.place(moves)
		}
		clients.Wait()
		faults.Wait()
		c.place(moves)                  // without the disk that was wiped
		c.wantSettled(30 * time.Second) // an answer that was lost with a node is waited for for 10 s
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

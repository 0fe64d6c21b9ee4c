package coordinator_test

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"math/rand/v2"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"ringkv/gateway/coordinator"
	"ringkv/integration/oracle"
	"ringkv/node/record"
)

var (
	seed  = flag.Uint64("seed", 0, "run only this `seed`, and print its history")
	seeds = flag.Int("seeds", 100, "how `many` seeds the tests with disturbances run; those in which data moves as well, an eighth of it")
)

// TestLinearizable lets clients with skewed clocks read, write, delete and compare-and-set two keys through three coordinators while nodes
// die, come back, stand still and lose messages, and asks whether each key's history could have been that of one copy.
func TestLinearizable(t *testing.T) { wantLinearizable(t, *seeds, disturbedRun) }

// wantLinearizable runs so many seeds, or the one that was asked for, and checks the history of each.
func wantLinearizable(t *testing.T, seeds int, run func(t *testing.T, seed uint64) []oracle.Op) {
	t.Helper()
	first, last := uint64(1), uint64(seeds)
	if *seed != 0 {
		first, last = *seed, *seed
	}
	acknowledged, swapped, mismatched := 0, 0, 0
	for s := first; s <= last; s++ {
		ops := run(t, s)
		for _, op := range ops {
			if op.Outcome == oracle.OK {
				acknowledged++
			}
			if op.Kind == oracle.Cas && op.Outcome == oracle.OK && op.Found {
				swapped++
			} else if op.Kind == oracle.Cas && op.Outcome == oracle.OK {
				mismatched++
			}
			if *seed != 0 {
				t.Log(op)
			}
		}
		if err := oracle.CheckLinear(ops, 3*time.Minute); err != nil {
			t.Fatalf("seed %d (repeat with -run '^%s$' -seed %d): %v", s, t.Name(), s, err)
		}
		if t.Failed() {
			t.Fatalf("seed %d (repeat with -run '^%s$' -seed %d)", s, t.Name(), s)
		}
	}
	if runs := int(last - first + 1); acknowledged < 40*runs || swapped < 2*runs || mismatched < 2*runs {
		t.Fatalf("only %d operations acknowledged in %d runs, of which %d compared and set, %d more compared: that shows nothing", acknowledged, runs, swapped, mismatched)
	}
}

// disturbedRun returns the history of one seed.
func disturbedRun(t *testing.T, seed uint64) []oracle.Op {
	history := oracle.NewHistory(nil)
	synctest.Test(t, func(t *testing.T) {
		start := time.Now()
		history = oracle.NewHistory(func() time.Duration { return time.Since(start) })
		rng := rand.New(rand.NewPCG(seed, 2))
		ids := []string{"a", "b", "c", "d", "e"}[:3+rng.IntN(3)]
		c := newCluster(t, seed, 3, ids...)
		var cos []*coordinator.Coordinator
		for i := range 3 {
			skew := time.Duration(rng.IntN(4000)-2000) * time.Millisecond
			cos = append(cos, c.coordinator(uint64(i+1), skew, coordinator.Options{Timeout: 300 * time.Millisecond}))
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
		disturbed := make(chan struct{})
		go func() { defer close(disturbed); c.disturb(rng, ids) }()
		clients.Wait()
		<-disturbed
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

// operate does one operation on one of two keys.
func operate(ctx context.Context, h *oracle.History, co *coordinator.Coordinator, rng *rand.Rand, client, n int) {
	key := []string{"x", "y"}[rng.IntN(2)]
	value := fmt.Sprintf("%d.%d", client, n)
	switch rng.IntN(10) {
	case 8, 9:
		compareAndSet(ctx, h, co, client, key, value)
	case 0:
		op := h.Begin(client, oracle.Delete, key, "")
		v, _, err := co.Delete(ctx, key)
		end(op, err, oracle.Answer{Version: v.String()})
	case 1, 2, 3:
		op := h.Begin(client, oracle.Put, key, value)
		v, err := co.Put(ctx, key, []byte(value), "")
		end(op, err, oracle.Answer{Version: v.String()})
	default:
		op := h.Begin(client, oracle.Get, key, "")
		rec, err := co.Get(ctx, key, coordinator.ReadOptions{})
		end(op, err, oracle.Answer{Value: string(rec.Value), Found: rec.Exists()})
	}
}

// compareAndSet writes value in place of what it has just read, if that is still there. The read is no part of the history.
func compareAndSet(ctx context.Context, h *oracle.History, co *coordinator.Coordinator, client int, key, value string) {
	seen, err := co.Get(ctx, key, coordinator.ReadOptions{})
	if err != nil {
		return
	}
	op := h.BeginCas(client, key, value, string(seen.Value), !seen.Exists())
	v, err := co.PutIf(ctx, key, []byte(value), "", unchanged(seen))
	if errors.Is(err, coordinator.ErrPreconditionFailed) {
		op.End(oracle.OK, oracle.Answer{})
		return
	}
	end(op, err, oracle.Answer{Found: true, Version: v.String()})
}

// unchanged holds while what was seen is there.
func unchanged(seen record.Record) coordinator.Condition {
	return func(present record.Record) bool {
		return present.Exists() == seen.Exists() && (!seen.Exists() || present.Known() == seen.Known())
	}
}

func end(op oracle.Running, err error, a oracle.Answer) {
	var e *coordinator.Error
	switch {
	case err == nil:
		op.End(oracle.OK, a)
	case errors.As(err, &e) && e.None:
		op.End(oracle.Failed, oracle.Answer{Detail: err.Error()})
	default:
		op.End(oracle.Unknown, oracle.Answer{Detail: err.Error()})
	}
}

// disturb breaks one or two nodes at a time, in some way, for a while, and leaves all of them well.
func (c *cluster) disturb(rng *rand.Rand, ids []string) {
	for range 6 {
		time.Sleep(time.Duration(rng.IntN(40)) * time.Millisecond) // fake time
		broken := rng.Perm(len(ids))[:1+rng.IntN(2)]
		for _, i := range broken {
			c.breakNode(ids[i], rng)
		}
		time.Sleep(time.Duration(rng.IntN(60)) * time.Millisecond)
		for _, i := range broken {
			c.mend(ids[i])
		}
	}
}

func (c *cluster) breakNode(id string, rng *rand.Rand) {
	switch rng.IntN(5 + c.moves.kills) {
	default:
		c.kill(id)
	case 1:
		c.set(id, func(n *testNode) { n.mute = true })
	case 2:
		c.set(id, func(n *testNode) { n.deaf = true })
	case 3:
		delay := time.Duration(rng.IntN(40)) * time.Millisecond
		c.set(id, func(n *testNode) { n.delay = delay })
	case 4: // what reaches it is acted on late, after newer writes
		c.set(id, func(n *testNode) { n.delay, n.mute, n.silent = 150*time.Millisecond, true, true })
	}
}

func (c *cluster) mend(id string) {
	n := c.nodes[id]
	n.mu.Lock()
	dead := n.down
	n.mute, n.deaf, n.silent, n.delay = false, false, false, 0
	n.mu.Unlock()
	if dead {
		c.replaceDisk(id)
		c.start(id)
	}
}

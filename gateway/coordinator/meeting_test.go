package coordinator_test

import (
	"context"
	"fmt"
	"math/rand/v2"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"ringkv/gateway/coordinator"
	"ringkv/integration/oracle"
)

// TestLinearizableWhereWritesMeet has all clients at one key without a pause, through coordinators whose clocks differ by little more than a message takes: puts
// are refused by some owners, taken by others and overtaken, all the time, while owners are slow by turns and one is started again.
func TestLinearizableWhereWritesMeet(t *testing.T) {
	first, last := uint64(1), uint64(*seeds)
	if *seed != 0 {
		first, last = *seed, *seed
	}
	unknown, puts := 0, 0
	for s := first; s <= last; s++ {
		ops := meetingRun(t, s)
		for _, op := range ops {
			if op.Kind == oracle.Put {
				puts++
			}
			if op.Kind == oracle.Put && op.Outcome == oracle.Unknown {
				unknown++
			}
			if *seed != 0 {
				t.Log(op)
			}
		}
		if err := oracle.CheckLinear(ops, 3*time.Minute); err != nil {
			t.Fatalf("seed %d (repeat with -run '^%s$' -seed %d): %v", s, t.Name(), s, err)
		}
	}
	t.Logf("%d puts, %d of unknown outcome", puts, unknown)
	if *seed == 0 && (puts < 10*int(last) || 20*unknown > puts) {
		t.Errorf("of %d puts the outcome of %d is unknown", puts, unknown)
	}
}

func meetingRun(t *testing.T, seed uint64) []oracle.Op {
	history := oracle.NewHistory(nil)
	synctest.Test(t, func(t *testing.T) {
		start := time.Now()
		history = oracle.NewHistory(func() time.Duration { return time.Since(start) })
		rng := rand.New(rand.NewPCG(seed, 4))
		c := newCluster(t, seed, 3, "a", "b", "c")
		var clients sync.WaitGroup
		for i := range 6 {
			own := rand.New(rand.NewPCG(seed, uint64(200+i)))
			co := c.coordinator(uint64(i+1), time.Duration(rng.IntN(3000))*time.Microsecond, coordinator.Options{Timeout: 300 * time.Millisecond})
			clients.Go(func() {
				for n := range 14 {
					meet(t.Context(), history, co, own, i, n)
				}
			})
		}
		for range 6 {
			time.Sleep(time.Duration(rng.IntN(6000)) * time.Microsecond) // fake time
			id := c.ids[rng.IntN(len(c.ids))]
			switch rng.IntN(2) {
			case 0:
				c.kill(id)
				c.start(id)
			default:
				delay := time.Duration(rng.IntN(4)) * time.Millisecond
				c.set(id, func(n *testNode) { n.delay = delay })
			}
		}
		clients.Wait()
	})
	return history.Ops()
}

// meet does one operation on the one key.
func meet(ctx context.Context, h *oracle.History, co *coordinator.Coordinator, rng *rand.Rand, client, n int) {
	const key = "x"
	value := fmt.Sprintf("%d.%d", client, n)
	switch rng.IntN(20) {
	case 0:
		compareAndSet(ctx, h, co, client, key, value)
	case 1, 2, 3, 4, 5, 6, 7:
		op := h.Begin(client, oracle.Put, key, value)
		v, err := co.Put(ctx, key, []byte(value), "")
		end(op, err, oracle.Answer{Version: v.String()})
	default:
		op := h.Begin(client, oracle.Get, key, "")
		rec, err := co.Get(ctx, key, coordinator.ReadOptions{})
		end(op, err, oracle.Answer{Value: string(rec.Value), Found: rec.Exists()})
	}
}

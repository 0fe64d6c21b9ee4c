package load

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"testing"
	"time"

	"ringkv/integration/oracle"
)

// Promise is how available the cluster has to be while a fault lasts. The zero Promise is what the README promises with any one node
// in trouble: at most one operation in a thousand fails, and no client waits more than a second. What a client waited for longest
// before anything was broken is added to that: it is what the machine, busy with other work, takes by itself. When it stood still
// after that doesn't count either.
type Promise struct {
	Errors float64       // of all operations, 0 to 1
	Gap    time.Duration // without an answer, for any one client
	Copies int           // of what was acknowledged, in the end; the write quorum if 0
	Linear bool          // each key is searched for an order that explains it: the load is Changing, or Contended

	Of func(key string) bool // which keys are judged; all if nil
}

func (p Promise) withDefaults(replicas int) Promise {
	if p.Errors == 0 {
		p.Errors = 0.001
	}
	if p.Gap == 0 {
		p.Gap = time.Second
	}
	if p.Copies == 0 {
		p.Copies = replicas/2 + 1
	}
	return p
}

// Judge stops the load and holds all promises against what its clients saw, and against what every gateway, and every
// node's own disk, says now. The cluster has to be whole again.
func (l *Load) Judge(t testing.TB, p Promise) {
	t.Helper()
	l.Stop()
	p = p.withDefaults(l.target.Replicas())
	ops, faults := l.History.Ops(), l.History.Faults()
	if p.Of != nil {
		ops = slices.DeleteFunc(ops, func(op oracle.Op) bool { return !p.Of(op.Key) })
	}
	if err := oracle.CheckValid(ops, faults, validAcked); err != nil {
		t.Fatal(err)
	}
	stalls := l.watch.seen()
	calm, available := oracle.Measure(ops, 0, faults[0].At), oracle.Measure(ops, faults[0].At, l.end, stalls...)
	stalled, longest := oracle.Stalled(stalls, faults[0].At, l.end)
	t.Logf("%d operations in all; before %q: %v; from then on: %v, while the machine stood still for %v, %v of it at a stretch",
		len(ops), faults[0].What, calm, available, stalled.Round(time.Millisecond), longest.Round(time.Millisecond))
	if available.Errors > 0 {
		t.Logf("the first error: %v", available.FirstErr)
	}
	gateways, nodes := l.target.Gateways(), l.target.Nodes()
	answered := l.readAll(t, gateways, (*Client).Get)
	held := l.readAll(t, nodes, (*Client).Local)
	for check, err := range map[string]error{
		"available":    available.Check(p.Errors, p.Gap+calm.Gap),
		"register":     oracle.CheckRegister(ops),
		"versions":     oracle.CheckVersions(ops),
		"values":       oracle.CheckValues(ops),
		"acknowledged": oracle.CheckAcked(ops, answered, gateways...),
		"deleted":      oracle.CheckDeleted(ops, answered, gateways...),
		"copies":       oracle.CheckCopies(ops, held, p.Copies),
	} {
		if err != nil {
			t.Errorf("%s: %v", check, err)
		}
	}
	if p.Linear {
		if err := oracle.CheckLinear(ops, time.Minute); err != nil {
			t.Errorf("linearizable: %v", err)
		}
	}
}

// A question asks a place, by its address, for a key.
type question func(c *Client, ctx context.Context, addr, key string) Reply

// readAll asks each of the places for each key of the history.
func (l *Load) readAll(t testing.TB, places []string, ask question) (readings []oracle.Reading) {
	t.Helper()
	addrs := map[string]string{}
	for _, place := range places {
		addrs[place] = l.target.Address(t, place)
	}
	ctx, giveUp := context.WithCancel(t.Context()) // at the first key that can't be read
	defer giveUp()
	work := make(chan string)
	var mu sync.Mutex // guards readings and failed
	var failed error
	var running sync.WaitGroup
	for range Clients {
		running.Go(func() {
			for key := range work {
				for _, place := range places {
					r, err := l.readOne(ctx, place, addrs[place], key, ask)
					mu.Lock()
					if failed == nil && err != nil {
						failed = err
						giveUp()
					}
					readings = append(readings, r)
					mu.Unlock()
				}
			}
		})
	}
	for _, key := range l.Keys() {
		work <- key
	}
	close(work)
	running.Wait()
	if failed != nil {
		t.Fatalf("the cluster is whole again, and can't be read: %v", failed)
	}
	return readings
}

// readPatience is how long a key may take to be read once all is whole: a check that a busy machine has missed takes a node away for a second, and a
// record that is found damaged by just this is replaced within 30 s.
const readPatience = 60 * time.Second

// readOne asks until it is answered.
func (l *Load) readOne(ctx context.Context, place, addr, key string, ask question) (oracle.Reading, error) {
	ctx, cancel := context.WithTimeout(ctx, readPatience)
	defer cancel()
	for last := (Reply{}); ; {
		r := ask(l.client, ctx, addr, key)
		outcome, answer := r.verdict(oracle.Get)
		if outcome == oracle.OK {
			return oracle.Reading{From: place, Key: key, Value: answer.Value, Found: answer.Found && !r.Deleted}, nil
		}
		if ctx.Err() == nil || last.Status == 0 {
			last = r
		}
		select {
		case <-time.After(100 * time.Millisecond):
		case <-ctx.Done():
			return oracle.Reading{}, fmt.Errorf("read %q from %s, for %v at most: %v", key, place, readPatience, last)
		}
	}
}

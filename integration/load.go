//go:build integration

package integration

import (
	"context"
	"fmt"
	"math/rand/v2"
	"strings"
	"sync"
	"testing"
	"time"

	"golang.org/x/time/rate"

	"ringkv/integration/oracle"
)

// A step is what a client does next.
type step struct {
	kind oracle.Kind
	key  string
}

// A Workload decides what the i-th operation of a client is.
type Workload func(client, i int, rng *rand.Rand) step

// The size of a load: enough to be in the middle of something whenever a fault comes, and not so much that
// two cores are kept busy by it alone.
const (
	loadClients = 8
	loadRate    = 500 // operations a second, of all clients
	validRate   = 200 // acknowledged operations a second, below which a run before its fault tells nothing
	valueSize   = 200 // bytes
	sharedKeys  = 8
)

// steady writes keys that are written once, and reads and writes a few that all clients share, of which one half is
// deleted now and then.
func steady(client, i int, rng *rand.Rand) step {
	shared := rng.IntN(sharedKeys)
	switch i % 4 {
	case 0:
		return step{oracle.Put, fmt.Sprintf("once/%d/%d", client, i)}
	case 1:
		if shared%2 == 0 && rng.IntN(4) == 0 {
			return step{oracle.Delete, fmt.Sprintf("shared/%d", shared)}
		}
		return step{oracle.Put, fmt.Sprintf("shared/%d", shared)}
	default:
		return step{oracle.Get, fmt.Sprintf("shared/%d", shared)}
	}
}

// contended has all clients at one key after the other, for a history that can be searched: no key has more operations
// than oracle.CheckLinear takes.
func contended(_, i int, rng *rand.Rand) step {
	const each = oracle.MaxLinearOps / loadClients
	return step{oracle.Kind(rng.IntN(3)), fmt.Sprintf("contended/%d", i/each)}
}

// A Load is clients at work: each sends its next operation when it has the answer to the last, through a gateway of its own
// choice, and none retries. All that they see is in History.
type Load struct {
	History *oracle.History

	cluster  *Cluster
	client   *Client
	gateways []string
	prefix   string // of all keys: histories begin with every key absent
	work     Workload
	pace     *rate.Limiter
	cancel   context.CancelFunc
	running  sync.WaitGroup
}

// StartLoad starts clients that use the gateways in turn, and returns once they have run long enough for a
// fault to tell something.
func (c *Cluster) StartLoad(t testing.TB, work Workload, gateways ...string) *Load {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	l := &Load{
		History: oracle.NewHistory(nil), cluster: c, client: NewClient(t), gateways: gateways,
		prefix: strings.ReplaceAll(t.Name(), "/", "_") + "/", work: work,
		pace: rate.NewLimiter(loadRate, loadClients), cancel: cancel,
	}
	for i := range loadClients {
		addr := c.Address(t, gateways[i%len(gateways)])
		l.running.Go(func() { l.run(ctx, i, addr) })
	}
	t.Cleanup(l.Stop)
	l.Continue(t, loadRate) // a second's worth
	return l
}

// Stop ends the load, when each client has the answer to its last operation. Stopping twice is no error.
func (l *Load) Stop() {
	l.cancel()
	l.running.Wait()
}

// Continue lets the load go on until n more operations have been acknowledged.
func (l *Load) Continue(t testing.TB, n int) {
	t.Helper()
	want := l.History.Acknowledged() + n
	eventually(t, readyPatience, fmt.Sprintf("%d more operations are acknowledged", n), func() error {
		if got := l.History.Acknowledged(); got < want {
			return fmt.Errorf("%d are missing; the last that failed: %v", want-got, l.lastFailure())
		}
		return nil
	})
}

func (l *Load) lastFailure() (last oracle.Op) {
	for _, op := range l.History.Ops() {
		if op.Outcome != oracle.OK && op.Return != oracle.Never {
			last = op
		}
	}
	return last
}

// Fault notes that something is about to be broken.
func (l *Load) Fault(format string, args ...any) oracle.Fault {
	return l.History.Fault(fmt.Sprintf(format, args...))
}

func (l *Load) run(ctx context.Context, client int, addr string) {
	seed := uint64(time.Now().UnixNano())
	rng := rand.New(rand.NewPCG(seed, uint64(client)))
	for i := 0; l.pace.Wait(ctx) == nil; i++ {
		s := l.work(client, i, rng)
		l.send(addr, client, i, s)
	}
}

// send carries out one operation. It is not cut short when the load ends: what was begun is waited for.
func (l *Load) send(addr string, client, i int, s step) {
	ctx, cancel := context.WithTimeout(context.Background(), clientPatience)
	defer cancel()
	key := l.prefix + s.key
	var r Reply
	var running oracle.Running
	switch s.kind {
	case oracle.Put:
		value := oracle.MakeValue(key, client, i, valueSize)
		running = l.History.Begin(client, oracle.Put, key, value)
		r = l.client.Put(ctx, addr, key, value)
	case oracle.Get:
		running = l.History.Begin(client, oracle.Get, key, "")
		r = l.client.Get(ctx, addr, key)
	default:
		running = l.History.Begin(client, oracle.Delete, key, "")
		r = l.client.Delete(ctx, addr, key)
	}
	running.End(r.verdict(s.kind))
}

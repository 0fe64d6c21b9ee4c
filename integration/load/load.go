package load

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

// patience is for a machine with other work to do; what is promised is asserted elsewhere.
const patience = 2 * time.Minute

// A Load is clients at work: each sends its next operation when it has the answer to the last, through a gateway of its own
// choice, and none retries. All that they see is in History.
type Load struct {
	History *oracle.History

	target   Target
	client   *Client
	gateways []string
	prefix   string // of all keys: histories begin with every key absent
	work     Workload
	pace     *rate.Limiter
	cancel   context.CancelFunc
	running  sync.WaitGroup
}

// A Target is what a load is put on: gateways that clients use, and nodes that hold what they wrote.
type Target interface {
	Gateways() []string                       // names
	Nodes() []string                          // names
	Address(t testing.TB, name string) string // host:port of a gateway or node, now
	Replicas() int                            // copies of each key
}

// Start starts clients that use the gateways in turn, and returns once they have run long enough for a
// fault to tell something. Keys begin with the name of the test, which starts one load.
func Start(t testing.TB, target Target, work Workload, gateways ...string) *Load {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	l := &Load{
		History: oracle.NewHistory(nil), target: target, client: NewClient(t), gateways: gateways,
		prefix: strings.ReplaceAll(t.Name(), "/", "_") + "/", work: work,
		pace: rate.NewLimiter(Rate, Clients), cancel: cancel,
	}
	for i := range Clients {
		addr := target.Address(t, gateways[i%len(gateways)])
		l.running.Go(func() { l.run(ctx, i, addr) })
	}
	t.Cleanup(l.Stop)
	l.Continue(t, Rate) // a second's worth
	return l
}

// Stop ends the load, when each client has the answer to its last operation. Stopping twice is no error.
func (l *Load) Stop() {
	l.cancel()
	l.running.Wait()
}

// Hurry raises the rate of all clients together to so many operations a second.
func (l *Load) Hurry(perSecond int) { l.pace.SetLimit(rate.Limit(perSecond)) }

// Continue lets the load go on until n more operations have been acknowledged.
func (l *Load) Continue(t testing.TB, n int) {
	t.Helper()
	want := l.History.Acknowledged() + n
	Eventually(t, patience, fmt.Sprintf("%d more operations are acknowledged", n), func() error {
		if got := l.History.Acknowledged(); got < want {
			return fmt.Errorf("%d are missing; the last that failed: %v", want-got, l.lastFailure())
		}
		return nil
	})
}

// Pass lets the load go on until n more operations have ended, whatever their answer.
func (l *Load) Pass(t testing.TB, n int) {
	t.Helper()
	want := l.History.Ended() + n
	Eventually(t, patience, fmt.Sprintf("%d more operations have ended", n), func() error {
		if got := l.History.Ended(); got < want {
			return fmt.Errorf("%d are missing", want-got)
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
func (l *Load) send(addr string, client, i int, s Step) {
	ctx, cancel := context.WithTimeout(context.Background(), clientPatience)
	defer cancel()
	key := l.prefix + s.Key
	var r Reply
	var running oracle.Running
	switch s.Kind {
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
	running.End(r.verdict(s.Kind))
}

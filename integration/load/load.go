package load

import (
	"context"
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
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
	stopping sync.Once
	watch    stallWatch
	end      int64 // when Stop was first called, by the history's time
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
	l.running.Go(func() {
		beats := time.NewTicker(beat)
		defer beats.Stop()
		l.watch.run(ctx, beats.C, l.History.Now)
	})
	t.Cleanup(l.Stop)
	l.Continue(t, Rate) // a second's worth
	return l
}

// Stop ends the load, when each client has the answer to its last operation. Stopping twice is no error.
func (l *Load) Stop() {
	l.stopping.Do(func() { l.end = l.History.Now() })
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

// Keys returns the keys that were read or written so far, sorted.
func (l *Load) Keys() []string {
	keys := map[string]bool{}
	for _, op := range l.History.Ops() {
		keys[op.Key] = true
	}
	return slices.Sorted(maps.Keys(keys))
}

// Bytes returns how much of what was acknowledged should be there, keys and values, each once.
func (l *Load) Bytes() (n int64) {
	size := map[string]int{}
	for _, op := range l.History.Ops() { // in the order of their calls, which is about that in which they happened
		switch {
		case op.Outcome != oracle.OK || op.Kind == oracle.Get || op.Kind == oracle.Cas && !op.Found:
		case op.Kind == oracle.Delete:
			size[op.Key] = 0
		default:
			size[op.Key] = len(op.Key) + len(op.Value)
		}
	}
	for _, bytes := range size {
		n += int64(bytes)
	}
	return n
}

// Fault notes that something is about to be broken.
func (l *Load) Fault(format string, args ...any) oracle.Fault {
	return l.History.Fault(fmt.Sprintf(format, args...))
}

func (l *Load) run(ctx context.Context, client int, addr string) {
	seed := uint64(time.Now().UnixNano())
	rng := rand.New(rand.NewPCG(seed, uint64(client)))
	seen := map[string]oracle.Answer{}
	for i := 0; l.pace.Wait(ctx) == nil; i++ {
		s := l.work(client, i, rng)
		l.send(addr, client, i, s, seen)
	}
}

// send carries out one operation. It is not cut short when the load ends: what was begun is waited for. seen is what this client
// knows of each key; a Cas wants that to be there still.
func (l *Load) send(addr string, client, i int, s Step, seen map[string]oracle.Answer) {
	ctx, cancel := context.WithTimeout(context.Background(), clientPatience)
	defer cancel()
	key, value := l.prefix+s.Key, ""
	var r Reply
	var running oracle.Running
	switch s.Kind {
	case oracle.Put:
		value = oracle.MakeValue(key, client, i, valueSize)
		running = l.History.Begin(client, oracle.Put, key, value)
		r = l.client.Put(ctx, addr, key, value)
	case oracle.Cas:
		value = oracle.MakeValue(key, client, i, valueSize)
		wanted := seen[key]
		running = l.History.BeginCas(client, key, value, wanted.Value, !wanted.Found)
		r = l.client.PutIf(ctx, addr, key, value, wanted.Version)
	case oracle.Get:
		running = l.History.Begin(client, oracle.Get, key, "")
		r = l.client.Get(ctx, addr, key)
	default:
		running = l.History.Begin(client, oracle.Delete, key, "")
		r = l.client.Delete(ctx, addr, key)
	}
	outcome, answer := r.verdict(s.Kind)
	running.End(outcome, answer)
	if outcome == oracle.OK && (s.Kind != oracle.Cas || answer.Found) {
		seen[key] = now(s.Kind, value, answer)
	}
}

// now is what a key holds after an operation that was answered.
func now(kind oracle.Kind, written string, answer oracle.Answer) oracle.Answer {
	switch {
	case kind == oracle.Delete || kind == oracle.Get && !answer.Found:
		return oracle.Answer{}
	case kind == oracle.Get:
		return answer
	default:
		return oracle.Answer{Value: written, Found: true, Version: answer.Version}
	}
}

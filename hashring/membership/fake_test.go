package membership

import (
	"cmp"
	"context"
	"errors"
	"io"
	"log/slog"
	"slices"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"

	"ringkv/hashring"
	"ringkv/hashring/following"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

var errDown = errors.New("connection refused")

func member(id string) Member {
	return Member{Member: hashring.Member{ID: id, Weight: 1}, Addr: id + ":5000", Replicas: 3}
}

func snapshot(ids ...string) *Snapshot { return &Snapshot{Members: list(ids...)} }

func list(ids ...string) []Member {
	var members []Member
	for _, id := range ids {
		members = append(members, member(id))
	}
	return members
}

// A fakeConsul answers queries as an agent does, and probes as the nodes do.
type fakeConsul struct {
	mu      sync.Mutex // guards what follows
	index   uint64
	entries map[string]Entry
	alive   map[string]bool // nodes that answer a probe, registered or not
	changed chan struct{}   // closed when anything here changes

	err      error         // what every question gets
	errStale error         // what a stale one gets; only with err
	lying    bool          // waits get "200 []" with index 1 at once, others err: an agent that lost its servers
	hanging  bool          // nothing is answered before its deadline
	filtered bool          // answers are marked as incomplete
	latency  time.Duration // of each probe

	requests []Request
}

func newFakeConsul(ids ...string) *fakeConsul {
	c := &fakeConsul{index: 100, entries: map[string]Entry{}, alive: map[string]bool{}, changed: make(chan struct{})}
	for _, id := range ids {
		c.join(id)
	}
	return c
}

// do changes something and wakes the queries that wait; the index is f's business.
func (c *fakeConsul) do(f func()) {
	c.mu.Lock()
	defer c.mu.Unlock()
	f()
	close(c.changed)
	c.changed = make(chan struct{})
}

// join registers a node that serves and passes.
func (c *fakeConsul) join(id string) {
	c.do(func() {
		c.index++
		c.alive[id] = true
		c.entries[id] = Entry{Member: member(id), Created: c.index, Passing: true}
	})
}

// check sets whether the nodes pass in Consul, in one change.
func (c *fakeConsul) check(passing bool, ids ...string) {
	c.do(func() {
		c.index++
		for _, id := range ids {
			e := c.entries[id]
			e.Passing = passing
			c.entries[id] = e
		}
	})
}

// die stops the nodes, of which Consul knows nothing yet.
func (c *fakeConsul) die(ids ...string) {
	c.do(func() {
		for _, id := range ids {
			c.alive[id] = false
		}
	})
}

// wipe makes Consul forget everything, its index included.
func (c *fakeConsul) wipe() {
	c.do(func() {
		c.index = 5
		clear(c.entries)
	})
}

func (c *fakeConsul) query(ctx context.Context, req Request) (*Answer, error) {
	c.mu.Lock()
	c.requests = append(c.requests, req)
	c.mu.Unlock()
	timer := time.NewTimer(req.Wait)
	defer timer.Stop()
	for {
		answer, changed, err := c.answer(req)
		if answer != nil || err != nil {
			return answer, err
		}
		select {
		case <-changed:
		case <-ctx.Done():
			return nil, ctx.Err()
		case <-timer.C:
			if answer, err := c.timedOut(req); answer != nil || err != nil {
				return answer, err
			}
		}
	}
}

// answer returns nothing as long as the question has to wait, and the channel to wait for.
func (c *fakeConsul) answer(req Request) (*Answer, <-chan struct{}, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	switch {
	case c.hanging:
		return nil, c.changed, nil
	case c.lying && req.Index > 0:
		return &Answer{Index: 1}, nil, nil
	case c.err != nil && req.Stale && c.errStale == nil:
		return c.list(req), nil, nil
	case c.err != nil || c.lying:
		return nil, nil, cmp.Or(c.err, errDown)
	case req.Index > 0 && req.Index >= c.index: // a real one doesn't notice before the wait is over that it went back, either
		return nil, c.changed, nil
	}
	return c.list(req), nil, nil
}

func (c *fakeConsul) timedOut(req Request) (*Answer, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.hanging {
		return nil, nil
	}
	return c.list(req), nil
}

// list must be called with mu held.
func (c *fakeConsul) list(req Request) *Answer {
	a := &Answer{Index: c.index, Filtered: c.filtered}
	for _, e := range c.entries {
		if e.Passing || req.All {
			a.Entries = append(a.Entries, e)
		}
	}
	return a
}

func (c *fakeConsul) probe(ctx context.Context, m Member) error {
	c.mu.Lock()
	alive, latency := c.alive[m.ID], c.latency
	c.mu.Unlock()
	sleep(ctx, latency)
	if ctx.Err() != nil || !alive {
		return errDown
	}
	return nil
}

// passes returns the ids that pass in Consul.
func (c *fakeConsul) passes() []string {
	c.mu.Lock()
	defer c.mu.Unlock()
	members, _ := passing(c.list(Request{}).Entries)
	return ids(members)
}

// asked returns the requests so far, and forgets them.
func (c *fakeConsul) asked() []Request {
	c.mu.Lock()
	defer c.mu.Unlock()
	requests := c.requests
	c.requests = nil
	return requests
}

func quiet() Options {
	return Options{Log: slog.New(slog.NewTextHandler(io.Discard, nil)), Random: func() float64 { return 0.5 }}
}

// run runs f until the test ends, and waits for it.
func run(t *testing.T, f func(context.Context) error) {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- f(ctx) }()
	t.Cleanup(func() {
		cancel()
		if err := <-done; err != nil {
			t.Errorf("Run = %v, want nil", err)
		}
	})
}

// watch runs a Watcher over c until the test ends.
func watch(t *testing.T, c *fakeConsul) *Watcher {
	t.Helper()
	w := NewWatcher(c.query, c.probe, quiet())
	run(t, w.Run)
	return w
}

type source interface{ Snapshot() *Snapshot }

func wantMembers(t *testing.T, s source, want ...string) {
	t.Helper()
	snap := s.Snapshot()
	if snap == nil {
		t.Fatalf("there is no snapshot, want %v", want)
	}
	if got := ids(snap.Members); !slices.Equal(got, want) {
		t.Fatalf("members = %v, want %v", got, want)
	}
}

func wantState(t *testing.T, w *Watcher, want State) {
	t.Helper()
	if got := w.State(); got != want {
		t.Fatalf("State = %v, want %v", got, want)
	}
}

// sleep is a wait of the tests, in a time of their own.
func sleep(ctx context.Context, d time.Duration) { following.Pause(ctx, d) }

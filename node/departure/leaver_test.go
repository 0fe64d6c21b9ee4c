package departure

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"runtime"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"ringkv/hashring"
	"ringkv/hashring/membership"
	"ringkv/hashring/placement"
	"ringkv/node/keeper"
)

// A farewell is node d on its way out of a placement with a, b and c.
type farewell struct {
	*Leaver
	remembered []bool // left, in turn

	mu        sync.Mutex // guards the rest while Run is under way
	doc       *placement.Document
	refusal   error
	unsettled map[string]int // by id; those that aren't in it don't answer
	behind    map[string]bool
}

func nodesOf(ids string) (nodes []placement.Node) {
	for _, id := range strings.Fields(ids) {
		nodes = append(nodes, placement.Node{ID: id, Weight: 1, Disk: "1"})
	}
	return nodes
}

func newFarewell(t *testing.T, asked bool) *farewell {
	t.Helper()
	doc, err := placement.First(nodesOf("a b c d"), 3, "test")
	if err != nil {
		t.Fatal(err)
	}
	f := &farewell{doc: doc, unsettled: map[string]int{"a": 5, "b": 5, "c": 5}, behind: map[string]bool{}}
	snap := &membership.Snapshot{}
	for _, n := range nodesOf("a b c d") {
		snap.Members = append(snap.Members, membership.Member{Member: hashring.Member{ID: n.ID, Weight: 1}, Disk: n.Disk})
	}
	f.Leaver = New(Options{
		ID: "d", Disk: "1", Asked: asked, Log: slog.New(slog.DiscardHandler),
		Remember: func(left bool) error { f.remembered = append(f.remembered, left); return nil },
		Document: func() *placement.Document {
			f.mu.Lock()
			defer f.mu.Unlock()
			return f.doc
		},
		Members: func() *membership.Snapshot { return snap },
		Leave: func(context.Context, string, string) error {
			f.mu.Lock()
			defer f.mu.Unlock()
			if f.refusal == nil {
				f.doc, err = placement.NextLeft(f.doc, nodesOf("a b c"), []string{"d/1"}, "d leaves")
				return err
			}
			return f.refusal
		},
		Progress: func(_ context.Context, m membership.Member) (keeper.Progress, error) {
			f.mu.Lock()
			defer f.mu.Unlock()
			n, ok := f.unsettled[m.ID]
			if !ok {
				return keeper.Progress{}, errors.New("no answer")
			}
			p := keeper.Progress{Generation: f.doc.Generation, Unsettled: n}
			if f.behind[m.ID] {
				p.Generation--
			}
			return p, nil
		},
	})
	return f
}

// want fails unless the node is that far.
func (f *farewell) want(t *testing.T, state string, waiting ...string) {
	t.Helper()
	at := f.At()
	if at == nil || at.State != state || fmt.Sprint(at.Waiting) != fmt.Sprint(waiting) {
		t.Fatalf("leaving is %+v, want %s, waiting for %v", at, state, waiting)
	}
}

func TestANodeLeavesWhenAllOthersHoldEverything(t *testing.T) {
	f := newFarewell(t, false)
	if f.At() != nil {
		t.Fatalf("leaving is %+v before anybody asked, want nil", f.At())
	}
	f.refusal = errors.New("generation 0 has to settle first")
	if err := f.Ask(); err != nil {
		t.Fatal(err)
	}
	if err := f.Ask(); err != nil {
		t.Fatalf("Ask once more = %v, want nil", err)
	}
	step := func(want bool) {
		t.Helper()
		if got := f.step(t.Context()); got != want {
			t.Fatalf("step = %v, want %v: %+v", got, want, f.At())
		}
	}
	step(false)
	f.want(t, "asked")
	if got := f.At().Detail; !strings.Contains(got, "has to settle first") {
		t.Errorf("detail is %q, want why it waits", got)
	}
	f.refusal = nil
	step(false)
	step(false)
	f.want(t, "handing over", "a", "b", "c")
	f.unsettled = map[string]int{"a": 0, "b": 0} // c doesn't answer
	step(false)
	f.want(t, "handing over", "c")
	f.unsettled["c"], f.behind["c"] = 0, true // c has settled all of the generation before
	step(false)
	f.want(t, "handing over", "c")

	// A restart goes on with it.
	doc := f.doc
	f = newFarewell(t, true)
	f.doc = doc
	step(false)
	f.want(t, "handing over", "a", "b", "c")
	f.unsettled = map[string]int{"a": 0, "b": 0, "c": 0}
	step(true)
	f.want(t, "left")
	if want := []bool{true}; !slices.Equal(f.remembered, want) {
		t.Errorf("it has remembered %v since its restart, want %v", f.remembered, want)
	}
}

func TestLeavingTakesItsTime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFarewell(t, false)
		ctx, cancel := context.WithCancel(t.Context())
		done := make(chan error, 1)
		go func() { done <- f.Run(ctx) }()
		time.Sleep(time.Hour)
		synctest.Wait()
		if f.At() != nil {
			t.Fatal("a node leaves that nobody asked to")
		}
		if err := f.Ask(); err != nil {
			t.Fatal(err)
		}
		time.Sleep(2*leaveEvery + time.Millisecond)
		synctest.Wait()
		f.want(t, "handing over", "a", "b", "c")
		f.mu.Lock()
		f.unsettled = map[string]int{"a": 0, "b": 0, "c": 0}
		f.mu.Unlock()
		<-f.Left()
		if err := <-done; err != nil {
			t.Errorf("Run = %v once it has left, want nil", err)
		}
		f.want(t, "left")
		cancel()
	})
}

// A node that can't remember that it has left goes on serving: it would start again after that.
func TestANodeThatCannotRememberHasNotLeft(t *testing.T) {
	f := newFarewell(t, true)
	f.unsettled = map[string]int{"a": 0, "b": 0, "c": 0}
	f.o.Remember = func(bool) error { return errors.New("no space left") }
	for range 3 {
		if f.step(t.Context()) {
			t.Fatalf("it has left: %+v", f.At())
		}
	}
	f.want(t, "handing over")
	if got := f.At().Detail; !strings.Contains(got, "no space left") {
		t.Errorf("detail is %q, want why it can't", got)
	}
	f.o.Remember = func(bool) error { return nil }
	if !f.step(t.Context()) {
		t.Errorf("it hasn't left though it can: %+v", f.At())
	}
}

// TestAskedByManyAtOnce: whatever keeps it in the data directory must not be called by two at the same time.
func TestAskedByManyAtOnce(t *testing.T) {
	f := newFarewell(t, false)
	var remembered atomic.Int64
	f.o.Remember = func(bool) error {
		remembered.Add(1)
		for range 1000 {
			runtime.Gosched() // the others come in meanwhile
		}
		return nil
	}
	var asking sync.WaitGroup
	for range 8 {
		asking.Go(func() {
			if err := f.Ask(); err != nil {
				t.Errorf("Ask = %v, want nil", err)
			}
		})
	}
	asking.Wait()
	if n := remembered.Load(); n != 1 {
		t.Errorf("asked by eight at once, it was remembered %d times, want once", n)
	}
}

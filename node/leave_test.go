package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"strings"
	"sync"
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
	*leaver

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

func newFarewell(t *testing.T, kept *storage) *farewell {
	t.Helper()
	doc, err := placement.First(nodesOf("a b c d"), 3, "test")
	if err != nil {
		t.Fatal(err)
	}
	f := &farewell{doc: doc, unsettled: map[string]int{"a": 5, "b": 5, "c": 5}, behind: map[string]bool{}}
	kept.id, kept.diskID = "d", "1"
	snap := &membership.Snapshot{}
	for _, n := range nodesOf("a b c d") {
		snap.Members = append(snap.Members, membership.Member{Member: hashring.Member{ID: n.ID, Weight: 1}, Disk: n.Disk})
	}
	f.leaver = &leaver{
		id: "d", disk: "1", kept: kept, log: slog.New(slog.NewTextHandler(io.Discard, nil)), requested: make(chan struct{}), left: make(chan struct{}),
		document: func() *placement.Document {
			f.mu.Lock()
			defer f.mu.Unlock()
			return f.doc
		},
		members: func() *membership.Snapshot { return snap },
		leave: func(context.Context, string, string) error {
			f.mu.Lock()
			defer f.mu.Unlock()
			if f.refusal == nil {
				f.doc, err = placement.NextLeft(f.doc, nodesOf("a b c"), []string{"d/1"}, "d leaves")
				return err
			}
			return f.refusal
		},
		progress: func(_ context.Context, m membership.Member) (keeper.Progress, error) {
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
	}
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

func openDir(t *testing.T, path string) (*storage, error) {
	t.Helper()
	cfg, err := parseConfig([]string{"-data", path}, io.Discard)
	if err != nil {
		t.Fatal(err)
	}
	return openStorage(cfg, "", slog.New(slog.NewTextHandler(io.Discard, nil)))
}

func closeStorage(t *testing.T, kept *storage) {
	t.Helper()
	if err := kept.Close(); err != nil {
		t.Fatal(err)
	}
}

func TestANodeLeavesWhenAllOthersHoldEverything(t *testing.T) {
	path := t.TempDir()
	kept, err := openDir(t, path)
	if err != nil {
		t.Fatal(err)
	}
	f := newFarewell(t, kept)
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
	closeStorage(t, kept)
	if kept, err = openDir(t, path); err != nil {
		t.Fatal(err)
	}
	if d, err := kept.departing(); err != nil || d == nil || d.Left {
		t.Fatalf("after a restart departing = %+v, %v, want that it goes on", d, err)
	}
	doc := f.doc
	f = newFarewell(t, kept)
	f.doc = doc
	f.begin()
	step(false)
	f.want(t, "handing over", "a", "b", "c")
	f.unsettled = map[string]int{"a": 0, "b": 0, "c": 0}
	step(true)
	f.want(t, "left")

	closeStorage(t, kept)
	if _, err := openDir(t, path); err == nil || !strings.Contains(err.Error(), "has left its cluster for good") || !strings.Contains(err.Error(), path) {
		t.Errorf("a start on the directory of a node that has left = %v, want what to do", err)
	}
}

func TestLeavingTakesItsTime(t *testing.T) {
	kept, err := openStorage(config{store: "memory"}, "", nil)
	if err != nil {
		t.Fatal(err)
	}
	defer closeStorage(t, kept)
	synctest.Test(t, func(t *testing.T) {
		f := newFarewell(t, kept)
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

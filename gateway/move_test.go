package main

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"ringkv/hashring"
	"ringkv/hashring/membership"
	"ringkv/hashring/placement"
)

// moving returns a view of a chain of generations, each a list of nodes, of which passing pass.
func moving(t *testing.T, passing string, lists ...string) *placement.View {
	t.Helper()
	var doc *placement.Document
	for _, l := range lists {
		var nodes []placement.Node
		for _, id := range strings.Fields(l) {
			nodes = append(nodes, placement.Node{ID: id, Weight: 1, Disk: "1"})
		}
		var err error
		if doc == nil {
			doc, err = placement.First(nodes, 3, "first nodes")
		} else {
			doc, err = placement.Next(doc, nodes, "nodes are now "+l)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	snap := &membership.Snapshot{}
	for _, id := range strings.Fields(passing) {
		snap.Members = append(snap.Members, membership.Member{Member: hashring.Member{ID: id, Weight: 1}, Addr: id + ":1", Disk: "1", Replicas: 3})
	}
	view, err := placement.NewView(doc, snap)
	if err != nil {
		t.Fatal(err)
	}
	return view
}

func TestMoveOf(t *testing.T) {
	changed := moving(t, "d e f", "a b c", "d e f")
	twice := moving(t, "g h i", "a b c", "d e f", "g h i")
	away := moving(t, "d e", "a b c", "d e f")
	settled := standing{Generation: 1, Oldest: 1}
	for _, tt := range []struct {
		name  string
		view  *placement.View
		nodes map[string]standing
		want  string
	}{
		{"all hold everything", changed, map[string]standing{"d": settled, "e": settled, "f": settled}, "nothing"},
		{"none has begun", changed, map[string]standing{"d": {}, "e": {}, "f": {}}, "0 to 1: 0 of 3072, 0.000, [d e f]"},
		{"one has a quarter to go", changed, map[string]standing{"d": settled, "e": settled, "f": {1, 256, 1}}, "0 to 1: 2816 of 3072, 0.916, [f]"},
		{"one doesn't answer", changed, map[string]standing{"d": settled, "f": settled}, "0 to 1: 2048 of 3072, 0.666, [e]"},
		{"one that is away isn't counted", away, map[string]standing{"d": settled, "e": {1, 512, 1}}, "0 to 1: 1536 of 2048, 0.750, [e]"},
		{"all that pass hold everything", away, map[string]standing{"d": settled, "e": settled}, "nothing"},
		{"the one before isn't done either", twice, map[string]standing{"g": {2, 0, 2}, "h": {2, 24, 1}, "i": {2, 0, 2}}, "0 to 2: 3048 of 3072, 0.992, [h]"},
		{"none has taken it yet, and all hold what was before", twice, map[string]standing{"g": settled, "h": settled, "i": settled}, "1 to 2: 0 of 3072, 0.000, [g h i]"},
		{"more than there is", changed, map[string]standing{"d": settled, "e": settled, "f": {1, 9999, 1}}, "0 to 1: 2048 of 3072, 0.666, [f]"},
	} {
		got := "nothing"
		if m := moveOf(tt.view, tt.nodes); m != nil {
			got = fmt.Sprintf("%d to %d: %d of %d, %.3f, %v", m.From, m.To, m.Settled, m.Slots, m.Progress, m.Waiting)
			if !strings.HasPrefix(m.Why, "nodes are now") {
				t.Errorf("%s: why is %q, want the placement's", tt.name, m.Why)
			}
		}
		if got != tt.want {
			t.Errorf("%s: moveOf = %s, want %s", tt.name, got, tt.want)
		}
	}
}

// While the nodes are asked for another view, who waits for its turn gives up with its client.
func TestWhoWaitsForTheMoveGivesUpWithItsClient(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		release := make(chan struct{})
		m := newMoves(func(context.Context, placement.RingNode) (standing, error) {
			<-release
			return standing{}, nil
		})
		var first sync.WaitGroup
		first.Go(func() { m.of(t.Context(), moving(t, "d e f", "a b c", "d e f")) })
		synctest.Wait()
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		began := time.Now()
		got := m.of(ctx, moving(t, "d e f", "a b c", "d e f"))
		if took := time.Since(began); got != nil || took != time.Second {
			t.Errorf("move = %+v after %v, want none after 1s", got, took)
		}
		close(release)
		first.Wait()
	})
}

// However many ask for the ring, the nodes are asked once a second, and a node that hangs is waited for no longer than the timeout.
func TestNodesAreAskedOnceASecond(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		view := moving(t, "d e f", "a b c", "d e f")
		var asked atomic.Int64
		m := newMoves(func(ctx context.Context, n placement.RingNode) (standing, error) {
			asked.Add(1)
			if n.ID == "e" {
				<-ctx.Done()
				return standing{}, ctx.Err()
			}
			return standing{Generation: 1, Oldest: 1}, nil
		})
		began := time.Now()
		var askers sync.WaitGroup
		for range 50 {
			askers.Go(func() {
				if got := m.of(t.Context(), view); got == nil || fmt.Sprint(got.Waiting) != "[e]" {
					t.Errorf("move = %+v, want one that waits for e", got)
				}
			})
		}
		askers.Wait()
		if took := time.Since(began); took != moveTimeout || asked.Load() != 3 {
			t.Errorf("50 at once took %v and %d questions, want %v and 3", took, asked.Load(), moveTimeout)
		}
		time.Sleep(moveFresh)
		m.of(t.Context(), view)
		if asked.Load() != 6 {
			t.Errorf("%d questions after a second more, want 6", asked.Load())
		}
		if got := m.of(t.Context(), moving(t, "a b c", "a b c")); got != nil || asked.Load() != 6 {
			t.Errorf("move of a placement that never changed = %+v after %d questions, want none, and nobody asked", got, asked.Load())
		}
	})
}

func TestNodeClient(t *testing.T) {
	answer := func(w http.ResponseWriter, r *http.Request) {}
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { answer(w, r) }))
	defer srv.Close()
	node := placement.RingNode{Node: placement.Node{ID: "a", Disk: "1"}, Addr: strings.TrimPrefix(srv.URL, "http://")}
	for name, tt := range map[string]struct {
		answer func(w http.ResponseWriter, r *http.Request)
		want   standing
		err    bool
	}{
		"well": {func(w http.ResponseWriter, r *http.Request) {
			if got := r.URL.String(); got != "/move?disk=1&node=a" {
				t.Errorf("asked for %s", got)
			}
			fmt.Fprint(w, `{"generation":4,"slots_owned":9,"slots_unsettled":3,"oldest_unsettled":2,"bytes_fetched":7}`)
		}, standing{4, 3, 2}, false},
		"another node": {func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(503) }, standing{}, true},
		"a redirect":   {func(w http.ResponseWriter, r *http.Request) { http.Redirect(w, r, "/elsewhere", http.StatusFound) }, standing{}, true},
		"junk":         {func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, "<html>") }, standing{}, true},
		"a flood":      {func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, strings.Repeat(" ", maxMoveBody)+"{}") }, standing{}, true},
		"a flood of headers": {func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("X", strings.Repeat("x", 64<<10))
			fmt.Fprint(w, `{"generation":4}`)
		}, standing{}, true},
		"no answer": {func(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() }, standing{}, true},
	} {
		answer = tt.answer
		ctx, cancel := context.WithTimeout(t.Context(), 2*time.Second)
		if name == "no answer" {
			cancel()
		}
		got, err := newNodeClient().standing(ctx, node)
		cancel()
		if got != tt.want || (err != nil) != tt.err {
			t.Errorf("%s: standing = %+v, %v, want %+v, error %v", name, got, err, tt.want, tt.err)
		}
		if name == "no answer" && !errors.Is(err, context.Canceled) {
			t.Errorf("standing = %v, want the context's error", err)
		}
	}
}

package keeper

import (
	"context"
	"errors"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"ringkv/hashring/membership"
	"ringkv/hashring/placement"
)

// settledAt are the answers of nodes that hold everything of a generation; "id-3" has 3 slots to go.
func settledAt(generation uint64, words string) map[string]Progress {
	out := map[string]Progress{}
	for _, word := range strings.Fields(words) {
		id, left, behind := strings.Cut(word, "-")
		p := Progress{Generation: generation, Owned: 10, Oldest: generation}
		if behind {
			p.Unsettled = int(left[0] - '0')
		}
		out[id] = p
	}
	return out
}

func TestAMoveHoldsBackWhatCanWait(t *testing.T) {
	abcd := doc(t, "a b c", "a b c d")
	for _, tt := range []struct {
		name     string
		passing  string
		progress map[string]Progress
		stalled  bool
		away     string // for more than a minute
		want     string
		why      string
	}{
		{name: "all have settled", passing: "a b c d e", progress: settledAt(1, "a b c d"), want: "2: a b c d e", why: "e joined"},
		{name: "one has not", passing: "a b c d e", progress: settledAt(1, "a b c d-3"), want: "nothing", why: "held back (e joined) until generation 1 has settled: waiting for d"},
		{name: "one doesn't answer", passing: "a b c d e", progress: settledAt(1, "a c d"), want: "nothing", why: "waiting for b"},
		{name: "none has seen the generation", passing: "a b c d e", progress: settledAt(0, "a b c d"), want: "nothing", why: "waiting for a, b, c, d"},
		{name: "newcomers have nothing to settle", passing: "a b c d e", progress: settledAt(1, "a b c d e-9"), want: "2: a b c d e", why: "e joined"},
		{name: "it doesn't come on", passing: "a b c d e", progress: settledAt(1, "a b c d-3"), stalled: true, want: "2: a b c d e", why: "e joined"},
		{name: "a weight can wait", passing: "a b*2 c d", progress: settledAt(1, "a b c d-3"), want: "nothing", why: "held back (b changed weight"},
		{name: "one that is away isn't waited for", passing: "a b c e", progress: settledAt(1, "a b c"), want: "2: a b c d e", why: "e joined"},
		{name: "a missing copy doesn't wait", passing: "a b c", progress: settledAt(1, "a b c-3"), away: "d", want: "2: a b c", why: "d was away"},
		{name: "who joins comes along", passing: "a b c e", progress: settledAt(1, "a b c-3"), away: "d", want: "2: a b c e", why: "e joined; d was away"},
		{name: "a wiped disk doesn't wait", passing: "a b c d/2", progress: settledAt(1, "a b c-3"), want: "2: a b c d/2", why: "another disk"},
	} {
		s := &state{
			now: noon, replicas: 3, stored: abcd, passing: candidates(t, tt.passing), changed: noon.Add(-time.Hour), progress: tt.progress,
			stalled: tt.stalled, reports: answers(tt.passing, abcd), rebalanceAfter: time.Minute, away: map[string]time.Time{},
		}
		for _, id := range strings.Fields(tt.away) {
			s.away[id] = noon.Add(-time.Hour)
		}
		d, why, ok := propose(s)
		if line(d) != tt.want || !strings.Contains(why, tt.why) {
			t.Errorf("%s: propose = %s, %q, want %s, %q", tt.name, line(d), why, tt.want, tt.why)
		}
		if !ok && s.due() {
			t.Errorf("%s: waiting for a move counts as being stuck", tt.name)
		}
	}
}

func TestTheLogIsTrimmedOnceAllHaveSettled(t *testing.T) {
	// Every slot gets other owners, so that nothing before the last generation is needed then.
	moved := doc(t, "a b c", "d e f", "g h i")
	for _, tt := range []struct {
		progress map[string]Progress
		want     []uint64
	}{
		{settledAt(2, "g h i"), []uint64{2}},
		{settledAt(2, "g h i-1"), []uint64{2, 1, 0}},
		{settledAt(2, "g h"), []uint64{2, 1, 0}}, // i may be away, and need to know whom to ask when it's back
		{nil, []uint64{2, 1, 0}},
	} {
		s := &state{
			now: noon, replicas: 3, stored: moved, passing: candidates(t, "g h i j"), progress: tt.progress, stalled: true,
			reports: answers("g h i j", moved), away: map[string]time.Time{},
		}
		d, why, ok := propose(s)
		if !ok {
			t.Fatalf("propose = nothing, %q", why)
		}
		var got []uint64
		for _, e := range d.Log {
			got = append(got, e.Generation)
		}
		if !slices.Equal(got, tt.want) {
			t.Errorf("with %v the log tells of %v, want %v", tt.progress, got, tt.want)
		}
	}
	// Slots that have not changed owners since generation 0 keep their config, and with it the log.
	s := &state{
		now: noon, replicas: 3, stored: doc(t, "a b c d e f", "a b c d e f g"), passing: candidates(t, "a b c d e f g h"),
		progress: settledAt(1, "a b c d e f g"), away: map[string]time.Time{},
	}
	s.reports = answers("a b c d e f g h", s.stored)
	if d, why, ok := propose(s); !ok || len(d.Log) != 2 {
		t.Errorf("propose = %s, %q with a log of %d, want 2 generations", line(d), why, len(d.Log))
	}
}

func TestPace(t *testing.T) {
	var p pace
	at := func(seconds int) time.Time { return noon.Add(time.Duration(seconds) * time.Second) }
	for i, step := range []struct {
		generation uint64
		unsettled  int
		fetched    int64
		at         int
		want       bool
	}{
		{0, 9, 0, 0, false},
		{0, 9, 0, 29, false},
		{0, 9, 0, 30, true},
		{0, 8, 0, 31, false}, // a slot more
		{0, 8, 0, 61, true},
		{0, 8, 5, 62, false}, // bytes
		{0, 8, 0, 70, false}, // a restart is no progress,
		{0, 9, 5, 92, true},  // nor is a slot that has to be settled once more
		{1, 9, 5, 93, false}, // another move
		{1, 9, 5, 122, false},
		{1, 9, 5, 123, true},
	} {
		progress := map[string]Progress{"a": {Unsettled: step.unsettled, Fetched: step.fetched}}
		if got := p.stalled(step.generation, progress, at(step.at)); got != step.want {
			t.Errorf("step %d: stalled = %v, want %v", i, got, step.want)
		}
	}
}

// A mover settles whatever is in the key, but for what it is told to keep unsettled.
type mover struct {
	w         *world
	unsettled atomic.Int64 // of each node
	promised  atomic.Uint64
	silent    atomic.Bool
}

func (m *mover) progress(context.Context, membership.Member) (Progress, error) {
	if m.silent.Load() {
		return Progress{}, errors.New("no answer")
	}
	p := Progress{Unsettled: int(m.unsettled.Load()), Promised: m.promised.Load()}
	if d := m.w.key.last(); d != nil {
		p.Generation = d.Generation
	}
	return p, nil
}

func TestKeeperChangesOneThingAtATime(t *testing.T) {
	inBubble(t, func(w *world) {
		m := &mover{w: w}
		k, stop := w.keep(&freeLock{}, func(o *Options) { o.Progress, o.RebalanceAfter = m.progress, time.Minute })
		defer stop()
		w.pass("a b c")
		w.want(5*time.Second, "0: a b c")
		w.pass("a b c d")
		w.want(5*time.Second, "1: a b c d")
		m.unsettled.Store(5)
		w.pass("a b c d e")
		w.wantStill(20*time.Second, "1: a b c d")
		if got := k.Status(); !got.Holding || !strings.Contains(got.Waiting, "until generation 1 has settled: waiting for a, b, c, d") {
			t.Errorf("Status = %+v, want what it waits for", got)
		}
		m.unsettled.Store(4)
		w.wantStill(20*time.Second, "1: a b c d")
		m.unsettled.Store(0)
		w.want(5*time.Second, "2: a b c d e")
		m.unsettled.Store(7) // and never comes on
		w.pass("a b c d e f")
		w.wantStill(stallAfter-time.Second, "2: a b c d e")
		w.want(10*time.Second, "3: a b c d e f")
		w.pass("a b c d e") // f dies in the middle of its move
		w.wantStill(59*time.Second, "3: a b c d e f")
		w.want(5*time.Second, "4: a b c d e")
		w.wantChain()
	})
}

// TestThreeNodesOfWhichOneDies: with no node to spare nothing is proposed, move or no move, until another comes.
func TestThreeNodesOfWhichOneDies(t *testing.T) {
	inBubble(t, func(w *world) {
		m := &mover{w: w}
		_, stop := w.keep(&freeLock{}, func(o *Options) { o.Progress, o.RebalanceAfter = m.progress, time.Minute })
		defer stop()
		w.pass("a b c")
		w.want(5*time.Second, "0: a b c")
		w.pass("a b c*2")
		w.want(5*time.Second, "1: a b c*2")
		m.unsettled.Store(3)
		w.pass("a b")
		w.wantStill(10*time.Minute, "1: a b c*2")
		w.pass("a b d")
		w.want(10*time.Second, "2: a b d")
	})
}

func TestALostOrLeavingNodeIsNotTakenInAgain(t *testing.T) {
	abc := doc(t, "a b c d")
	nodes := doc(t, "a b c").Nodes
	lost, err := placement.NextLost(abc, nodes, []string{"d/1"}, "d given up for good")
	if err != nil {
		t.Fatal(err)
	}
	left, err := placement.NextLeft(abc, nodes, []string{"d/1"}, "d leaves")
	if err != nil {
		t.Fatal(err)
	}
	for _, tt := range []struct {
		stored  *placement.Document
		passing string
		want    string
		why     string
	}{
		{lost, "a b c d", "nothing", "node d is left out: it was given up for good: stop it, remove its data directory"},
		{lost, "a b c d/2", "2: a b c d/2", "d joined"},
		{left, "a b c d", "nothing", ""},
		{left, "a b c d e", "2: a b c e", "e joined"},
	} {
		s := &state{now: noon, replicas: 3, stored: tt.stored, passing: candidates(t, tt.passing), reports: answers(tt.passing, tt.stored), away: map[string]time.Time{}}
		if d, why, _ := propose(s); line(d) != tt.want || !strings.Contains(why, tt.why) || (why == "") != (tt.why == "") {
			t.Errorf("with %s passing after %q: propose = %s, %q, want %s, %q", tt.passing, tt.stored.Why, line(d), why, tt.want, tt.why)
		}
	}
}

package keeper

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"ringkv/hashring/placement"
)

// promised are answers of nodes of which one has promised that generation.
func promised(generation uint64, progress map[string]Progress) map[string]Progress {
	p := progress["a"]
	p.Promised = generation
	progress["a"] = p
	return progress
}

func TestLeave(t *testing.T) {
	abcd := doc(t, "a b c", "a b c d")
	for _, tt := range []struct {
		name     string
		stored   *placement.Document
		passing  string
		leaves   string // id/disk
		progress map[string]Progress
		outage   bool
		want     string
		refused  string
		later    bool
	}{
		{name: "well", stored: abcd, passing: "a b c d", leaves: "b/1", want: "2: a c d"},
		{name: "it needn't pass itself", stored: abcd, passing: "a c d", leaves: "b/1", want: "2: a c d"},
		{name: "no placement", passing: "a b c d", leaves: "b/1", refused: "no placement in Consul yet", later: true},
		{name: "not part of it", stored: abcd, passing: "a b c d e", leaves: "e/1", refused: "isn't part of the placement"},
		{name: "on another disk", stored: abcd, passing: "a b c d", leaves: "b/2", refused: "isn't part of the placement"},
		{name: "too few others", stored: abcd, passing: "a b c", leaves: "b/1", refused: "only 2 other nodes of the placement pass, and each key has 3 copies: start another node"},
		{name: "a newcomer doesn't count", stored: abcd, passing: "a b c e", leaves: "b/1", refused: "only 2 other nodes"},
		{name: "a move is under way", stored: abcd, passing: "a b c d", leaves: "b/1", progress: settledAt(1, "a b c d-2"), refused: "generation 1 has to settle first: waiting for d", later: true},
		{name: "none is", stored: abcd, passing: "a b c d", leaves: "b/1", progress: settledAt(1, "a b c d"), want: "2: a c d"},
		{name: "promised beyond", stored: abcd, passing: "a b c d", leaves: "b/1", progress: promised(2, settledAt(1, "a b c d")), refused: "nodes remember or have promised", later: true},
		{name: "Consul was away", stored: abcd, passing: "a b c d", leaves: "b/1", outage: true, refused: "out of reach", later: true},
	} {
		s := &state{now: noon, replicas: 3, stored: tt.stored, passing: candidates(t, tt.passing), reports: answers(tt.passing, tt.stored), progress: tt.progress}
		if tt.outage {
			s.outage = noon.Add(-time.Second)
		}
		id, disk, _ := strings.Cut(tt.leaves, "/")
		d, err := s.leave(id, disk)
		if r := AsRefusal(err); tt.refused != "" {
			if r == nil || !strings.Contains(r.Reason, tt.refused) || r.Later != tt.later || d != nil {
				t.Errorf("%s: leave = %s, %v, want a refusal with %q, later %v", tt.name, line(d), err, tt.refused, tt.later)
			}
			continue
		}
		if err != nil || line(d) != tt.want || !d.HasLeft(tt.leaves) {
			t.Errorf("%s: leave = %s, %v, want %s", tt.name, line(d), err, tt.want)
			continue
		}
		s.stored = d
		if again, err := s.leave(id, disk); again != nil || err != nil {
			t.Errorf("%s: leave once more = %s, %v, want nothing to do", tt.name, line(again), err)
		}
	}
}

func TestLose(t *testing.T) {
	abcde := doc(t, "a b c d e")
	wiped := doc(t, "a b c", "a b/2 c")
	half := doc(t, "a b c", "d e f")
	lostA, err := placement.NextLost(abcde, doc(t, "b c d e").Nodes, []string{"a/1"}, "a given up for good")
	if err != nil {
		t.Fatal(err)
	}
	for _, tt := range []struct {
		name     string
		stored   *placement.Document
		own      *placement.Document
		passing  string
		lost     string
		progress map[string]Progress
		want     string
		named    string // all that are lost by then
		detail   string
		refused  string
	}{
		{name: "one of five", stored: abcde, passing: "a b c d", lost: "e", progress: settledAt(0, "a b c d"), want: "1: a b c d", named: "[e/1]", detail: "no slot loses anything: enough copies are left of all 1024"},
		{name: "most of five", stored: abcde, passing: "a b", lost: "c d e", progress: settledAt(0, "a b"), want: "1: a b", named: "[c/1 d/1 e/1]", detail: "acknowledged writes may be lost: "},
		{name: "others have come in their place", stored: abcde, passing: "a b x y", lost: "c d e", want: "1: a b x y", named: "[c/1 d/1 e/1]", detail: "slots begin empty"},
		{name: "while something moves", stored: half, passing: "a b d e f", lost: "c", progress: settledAt(1, "d e-1 f"), want: "2: a b d e f", named: "[c/1]", detail: "no slot loses anything"},
		{name: "most of an earlier generation while something moves", stored: half, passing: "d e f", lost: "a b c", progress: settledAt(1, "d e-1 f"), want: "2: d e f", named: "[a/1 b/1 c/1]", detail: "may be lost, at worst, as not all"},
		{name: "the same when all has settled", stored: half, passing: "d e f", lost: "a b c", progress: settledAt(1, "d e f"), want: "2: d e f", named: "[a/1 b/1 c/1]", detail: "no slot loses anything"},
		{name: "an id means the disks that don't pass", stored: wiped, passing: "a b/2 c", lost: "b", want: "2: a b/2 c", named: "[b/1]"},
		{name: "or one disk", stored: wiped, passing: "a c", lost: "b/1", want: "2: a b/2 c", named: "[b/1]"},
		{name: "one that passes", stored: abcde, passing: "a b c d e", lost: "e", refused: "node e passes its checks"},
		{name: "one that nobody knows", stored: abcde, passing: "a b c d", lost: "x", refused: "don't know this node"},
		{name: "a disk that nobody knows", stored: abcde, passing: "a b c d", lost: "e/7", refused: "don't know this node"},
		{name: "all", stored: abcde, passing: "", lost: "a b c d e", refused: "no node would be left"},
		{name: "no placement", passing: "a b", lost: "c", refused: "no placement"},
		{name: "lost already", stored: lostA, passing: "b c d e", lost: "a", refused: "given up already"},
		{name: "with more", stored: lostA, passing: "c d e", lost: "b", want: "2: c d e", named: "[a/1 b/1]"},
		{name: "promised beyond, the others answer", stored: abcde, passing: "a b c d", lost: "e", progress: promised(4, settledAt(0, "a b c d")), want: "5: a b c d", named: "[e/1]", detail: "no slot loses anything"},
		{name: "promised beyond, another is silent", stored: abcde, passing: "a b c", lost: "e", progress: promised(4, settledAt(0, "a b c")), refused: "doesn't hold generation 4, which slots of some nodes have promised, and not all others say what they remember: d"},
		{name: "Consul forgot, the others answer", own: abcde, passing: "a b", lost: "c d e", want: "1: a b", named: "[c/1 d/1 e/1]"},
		{name: "those left are silent", stored: abcde, passing: "a x y", lost: "b c", refused: "most of the nodes that would be left don't say whether there was a later placement: d, e"},
		{name: "half of those left are silent", stored: abcde, passing: "a x y", lost: "b c d", want: "1: a e x y", named: "[b/1 c/1 d/1]"},
		{name: "Consul forgot, another is silent", own: abcde, passing: "a b", lost: "c d", refused: "not all others say what they remember: e"},
	} {
		known := tt.stored
		if known == nil {
			known = tt.own
		}
		s := &state{now: noon, replicas: 3, stored: tt.stored, own: tt.own, passing: candidates(t, tt.passing), reports: answers(tt.passing, known), progress: tt.progress}
		loss, d, err := s.lose(strings.Fields(tt.lost))
		if tt.refused != "" {
			if r := AsRefusal(err); r == nil || !strings.Contains(r.Reason, tt.refused) || d != nil {
				t.Errorf("%s: lose = %s, %v, want a refusal with %q", tt.name, line(d), err, tt.refused)
			}
			continue
		}
		if err != nil || line(d) != tt.want || fmt.Sprint(d.Lost) != tt.named || !strings.Contains(loss.Detail, tt.detail) {
			t.Errorf("%s: lose = %s lost %v, %+v, %v\nwant %s lost %v, %q", tt.name, line(d), d, loss, err, tt.want, tt.named, tt.detail)
		}
	}
}

// TestAnOperatorNeedsNoLock: what an operator asks for is written by any node, between two looks of the keeper.
func TestAnOperatorNeedsNoLock(t *testing.T) {
	inBubble(t, func(w *world) {
		m := &mover{w: w}
		lock := make(oneLock, 1)
		progress := func(o *Options) { o.Progress = m.progress }
		_, stop := w.keep(lock, progress)
		defer stop()
		w.pass("a b c d e")
		w.want(5*time.Second, "0: a b c d e")
		other, stopOther := w.keep(lock, progress)
		defer stopOther()
		if err := other.Leave(w.t.Context(), "e", "1"); err != nil {
			t.Fatalf("Leave = %v", err)
		}
		w.wantStill(time.Minute, "1: a b c d") // though e still passes
		w.pass("a b c e")
		loss, err := other.Lose(w.t.Context(), []string{"d"}, false)
		if err != nil || loss.Written || loss.Slots.Whole != 1024 {
			t.Fatalf("Lose without writing = %+v, %v, want no losses", loss, err)
		}
		w.wantStill(10*time.Second, "1: a b c d")
		if loss, err = other.Lose(w.t.Context(), []string{"d"}, true); err != nil || !loss.Written {
			t.Fatalf("Lose = %+v, %v", loss, err)
		}
		w.wantStill(time.Minute, "2: a b c")
		w.key.fail(errAway)
		if err := other.Leave(w.t.Context(), "a", "1"); err == nil || AsRefusal(err) != nil {
			t.Errorf("Leave without Consul = %v, want Consul's error", err)
		}
	})
}

// TestAnOperatorIsNotOvertakenForEver: a change that was overtaken is decided anew, a few times.
func TestAnOperatorIsNotOvertakenForEver(t *testing.T) {
	inBubble(t, func(w *world) {
		w.pass("a b c d e")
		value, err := doc(t, "a b c d e").Encode()
		if err != nil {
			t.Fatal(err)
		}
		w.key.set(value)
		w.follow = false
		overtaken := 0
		w.key.delay = func() time.Duration { overtaken++; w.key.set(value); return 0 }
		k := New(Options{Key: w.key, Members: w, Replicas: 3, Remembered: w.remembered, Own: func() *placement.Document { return nil }})
		if r := AsRefusal(k.Leave(w.t.Context(), "e", "1")); r == nil || !r.Later || overtaken != operatorTries {
			t.Errorf("Leave = %v after being overtaken %d times, want a refusal after %d", r, overtaken, operatorTries)
		}
	})
}

package membership

import (
	"slices"
	"testing"
	"time"
)

func TestJudge(t *testing.T) {
	three := snapshot("a", "b", "c")
	moved := list("a", "b", "c")
	moved[1].Addr = "elsewhere:5000"
	for _, c := range []struct {
		name        string
		waited, got uint64
		have        *Snapshot
		next        []Member
		want        verdict
	}{
		{"lower index", 7, 6, three, nil, backwards},
		{"index 1 of an agent without servers", 7, 1, three, nil, backwards},
		{"index 0", 7, 0, three, nil, backwards},
		{"equal index, other body", 7, 7, three, nil, unmoved},
		{"nothing known, nothing there", 0, 7, nil, nil, credible},
		{"nothing known", 0, 7, nil, list("a"), credible},
		{"same", 7, 8, three, list("a", "b", "c"), same},
		{"same and empty", 7, 8, snapshot(), nil, same},
		{"first ones after none", 7, 8, snapshot(), list("a"), credible},
		{"one more", 7, 8, three, list("a", "b", "c", "d"), credible},
		{"one moved", 7, 8, three, moved, credible},
		{"one less of three", 7, 8, three, list("a", "c"), credible},
		{"one less of two", 7, 8, snapshot("a", "b"), list("b"), credible},
		{"two less of four", 7, 8, snapshot("a", "b", "c", "d"), list("a", "d"), credible},
		{"two less of three", 7, 8, three, list("b"), suspicious},
		{"two less of three, two others", 7, 8, three, list("a", "d", "e"), suspicious},
		{"all of three", 7, 8, three, nil, suspicious},
		{"all of three, at index 0", 0, 2, three, nil, suspicious},
		{"the only one", 7, 8, snapshot("a"), nil, suspicious},
	} {
		if got := (known{have: c.have}).judge(c.waited, c.got, c.next); got != c.want {
			t.Errorf("%s: judge = %v, want %v", c.name, got, c.want)
		}
	}
}

func TestJudgeAfterAnInterruption(t *testing.T) {
	k := known{have: snapshot("a", "b", "c"), unsettled: true}
	for _, c := range []struct {
		next []Member
		want verdict
	}{
		{list("a", "b", "c"), same},
		{list("a", "b", "c", "d"), credible},
		{list("a", "b"), suspicious},
		{list("a", "b", "d"), suspicious},
	} {
		if got := k.judge(0, 9, c.next); got != c.want {
			t.Errorf("judge(%v) = %v, want %v", ids(c.next), got, c.want)
		}
	}
}

// An agent that restarts may take its nodes out one by one, each of which alone would be believed.
func TestDeparturesAddUp(t *testing.T) {
	left, now := departures{}, time.Now()
	left.note(list("a", "b", "c"), list("a", "b"), now)
	if !left.shrinks(list("a", "b"), list("a")) {
		t.Error("the second of three at once is not suspicious")
	}
	if left.shrinks(list("a", "b", "c"), list("a", "c")) {
		t.Error("another leaves while the first is back: suspicious, want credible")
	}
	left.forget(now.Add(shrinkWindow + 1))
	if left.shrinks(list("a", "b"), list("a")) {
		t.Error("the second of three long after the first is suspicious")
	}
}

func TestPassingKeepsTheNewestRegistration(t *testing.T) {
	at := func(id, addr string, created uint64) Entry {
		m := member(id)
		m.Addr = addr
		return Entry{Member: m, Created: created, Passing: true}
	}
	critical := at("c", "c:1", 9)
	critical.Passing = false
	for _, c := range []struct {
		name    string
		entries []Entry
		want    []string // id@addr
		lost    int
	}{
		{"in order of id", []Entry{at("b", "b:1", 1), at("a", "a:1", 2)}, []string{"a@a:1", "b@b:1"}, 0},
		{"one id at two addresses", []Entry{at("a", "1-old:1", 1), at("a", "2-new:1", 2)}, []string{"a@2-new:1"}, 1},
		{"one id registered twice alike", []Entry{at("a", "a:1", 1), at("a", "a:1", 2)}, []string{"a@a:1"}, 1},
		{"two ids at one address", []Entry{at("2-new", "x:1", 2), at("1-old", "x:1", 1)}, []string{"2-new@x:1"}, 1},
		{"only those that pass", []Entry{at("a", "a:1", 1), critical}, []string{"a@a:1"}, 0},
	} {
		for range 2 {
			members, lost := passing(c.entries)
			var got []string
			for _, m := range members {
				got = append(got, m.ID+"@"+m.Addr)
			}
			if !slices.Equal(got, c.want) || len(lost) != c.lost {
				t.Errorf("%s: passing = %v, lost %q, want %v, lost %d", c.name, got, lost, c.want, c.lost)
			}
			slices.Reverse(c.entries)
		}
	}
}

func TestHash(t *testing.T) {
	a := snapshot("a", "b").Hash()
	if b := snapshot("a", "b").Hash(); a != b {
		t.Errorf("Hash of equal members = %x and %x", a, b)
	}
	moved := snapshot("a", "b")
	moved.Members[0].Addr = "elsewhere:1"
	if moved.Hash() == a {
		t.Error("Hash is the same after a member moved")
	}
}

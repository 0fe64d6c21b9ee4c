package placement

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
)

func TestDepartedNodesStayNamed(t *testing.T) {
	d := chain(t, 3, "a/1 b/1 c/1 d/1 e/1")
	d, err := NextLost(d, list("a/1 b/1 c/1 d/1"), []string{"e/1"}, "e is lost")
	if err != nil {
		t.Fatal(err)
	}
	if d, err = NextLeft(d, list("a/1 b/1 c/1"), []string{"d/1"}, "d leaves"); err != nil {
		t.Fatal(err)
	}
	d = next(t, d.Trim(d.Generation), list("a/1 b/1 c/1 f/1"))
	if !d.IsLost("e/1") || !d.HasLeft("d/1") || d.HasLeft("e/1") || !d.Departed("d/1") || d.Departed("a/1") {
		t.Errorf("lost %v, left %v, want e/1 and d/1", d.Lost, d.Left)
	}
	var many []string
	for i := range maxDeparted {
		many = append(many, fmt.Sprintf("x%d/1", i))
	}
	if d, err = NextLost(d, d.Nodes, many, "many are lost"); err != nil {
		t.Fatal(err)
	}
	if len(d.Lost) != maxDeparted || d.IsLost("e/1") || !d.IsLost("x0/1") {
		t.Errorf("of %d lost nodes %d are named, e/1 %v, want the newest %d", maxDeparted+1, len(d.Lost), d.IsLost("e/1"), maxDeparted)
	}
}

func TestADepartedNodeIsNotTakenInAgain(t *testing.T) {
	d, err := NextLost(chain(t, 3, "a/1 b/1 c/1"), list("a/1 b/1"), []string{"c/1"}, "c is lost")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := Next(d, list("a/1 b/1 c/1"), "c joined"); !errors.Is(err, ErrMalformed) || !strings.Contains(fmt.Sprint(err), `"c/1"`) {
		t.Errorf("Next with a lost node = %v, want ErrMalformed that names it", err)
	}
	if _, err := Next(d, list("a/1 b/1 c/2"), "c joined"); err != nil {
		t.Errorf("Next with the same id on another disk = %v, want nil", err)
	}
	other := next(t, chain(t, 3, "a/1 b/1 c/1"), list("a/1 b/1"))
	if d.Same(other) {
		t.Error("a document that names a lost node is the Same as one that doesn't")
	}
	v := view(t, nil, d, passing(1, "a/1 b/1 c/1"))
	if got := show(v); got != "+a@a +b@b" {
		t.Errorf("view with a lost node passing = %s, want it not to be joining", got)
	}
}

func TestDepartedNodesSurviveEncoding(t *testing.T) {
	d, err := NextLost(chain(t, 3, "a/1 b/1 c/1"), list("a/1 b/1"), []string{"c/1"}, "c is lost")
	if err != nil {
		t.Fatal(err)
	}
	text, err := d.Encode()
	if err != nil {
		t.Fatal(err)
	}
	got, err := Parse(text)
	if err != nil || !got.Same(d) {
		t.Errorf("Parse(Encode) = %+v, %v, want %+v", got, err, d)
	}
}

func TestIdentitiesOfAnID(t *testing.T) {
	d := chain(t, 3, "a/1 b/1", "a/2 b/1", "a/3 b/1")
	if got := d.Identities("a"); !slices.Equal(got, []string{"a/3", "a/2", "a/1"}) {
		t.Errorf("Identities(a) = %v, want the newest first", got)
	}
	if got := d.Identities("x"); len(got) != 0 {
		t.Errorf("Identities(x) = %v, want none", got)
	}
}

func TestLosses(t *testing.T) {
	three := chain(t, 3, "a/1 b/1 c/1")
	moved := next(t, three, list("d/1 e/1 f/1"))
	for _, tt := range []struct {
		name    string
		doc     *Document
		lost    string
		settled bool
		want    Losses
	}{
		{"none", three, "", true, Losses{Whole: 1024}},
		{"one of three", three, "a/1", true, Losses{Whole: 1024}},
		{"two of three", three, "a/1 b/1", true, Losses{Short: 1024}},
		{"one of two, both of which had to acknowledge", chain(t, 3, "a/1 b/1"), "a/1", true, Losses{Whole: 1024}},
		{"two of four", chain(t, 4, "a/1 b/1 c/1 d/1"), "a/1 b/1", true, Losses{Whole: 1024}},
		{"three of four", chain(t, 4, "a/1 b/1 c/1 d/1"), "a/1 b/1 c/1", true, Losses{Short: 1024}},
		{"all", three, "a/1 b/1 c/1", true, Losses{Empty: 1024}},
		{"another disk", three, "a/2 b/2", true, Losses{Whole: 1024}},
		{"those of an earlier generation", moved, "a/1 b/1 c/1", true, Losses{Whole: 1024}},
		{"the same before all have settled", moved, "a/1 b/1 c/1", false, Losses{Short: 1024}},
	} {
		got, err := tt.doc.Losses(strings.Fields(tt.lost), tt.settled)
		if err != nil || got != tt.want {
			t.Errorf("%s: Losses = %+v, %v, want %+v", tt.name, got, err, tt.want)
		}
	}
	five := chain(t, 3, "a/1 b/1 c/1 d/1 e/1")
	if got, err := five.Losses([]string{"a/1", "b/1"}, true); err != nil || got.Whole == 0 || got.Short == 0 || got.Whole+got.Short != 1024 {
		t.Errorf("two of five: Losses = %+v, %v, want some slots short and none empty", got, err)
	}
}

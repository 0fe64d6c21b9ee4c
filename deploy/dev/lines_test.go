package main

import (
	"strings"
	"testing"
)

func TestLinesStayWholeBehindTheirName(t *testing.T) {
	var out strings.Builder
	term := &terminal{w: &out}
	a, b := &lines{to: term, name: "node 5000"}, &lines{to: term, name: "gateway"}
	for _, step := range []struct {
		to   *lines
		text string
	}{{a, "one\ntw"}, {b, "three\r\n\n"}, {a, "o\nfo"}, {a, "ur"}} {
		if n, err := step.to.Write([]byte(step.text)); n != len(step.text) || err != nil {
			t.Fatalf("Write(%q) = %d, %v", step.text, n, err)
		}
	}
	a.flush()
	a.flush()
	want := "node 5000 | one\n" + "gateway   | three\n" + "gateway   | \n" + "node 5000 | two\n" + "node 5000 | four\n"
	if out.String() != want {
		t.Errorf("printed %q, want %q", out.String(), want)
	}
}

func TestALineWithoutEndIsBounded(t *testing.T) {
	var out strings.Builder
	l := &lines{to: &terminal{w: &out}, name: "n"}
	for range 3 * longestLine / 1000 {
		if _, err := l.Write(make([]byte, 1000)); err != nil {
			t.Fatal(err)
		}
	}
	if len(l.pending) > longestLine+1000 {
		t.Errorf("%d bytes are held, want at most %d", len(l.pending), longestLine+1000)
	}
	if out.Len() < 2*longestLine {
		t.Errorf("%d bytes were printed, want at least %d", out.Len(), 2*longestLine)
	}
}

package main

import (
	"testing"
	"time"
)

func TestParseStat(t *testing.T) {
	// utime 250, stime 50, cutime 3, cstime 7, in ticks of 10 ms.
	const stat = "4711 (a) b (c) S 1 4711 4711 0 -1 4194560 9000 0 2 0 250 50 3 7 20 0 12 0 355123 1260000000 7500 18446744073709551615"
	if got, err := parseStat(stat); err != nil || got != 3100*time.Millisecond {
		t.Errorf("parseStat = %v, %v, want 3.1s", got, err)
	}
	for _, stat := range []string{"", "4711 kvnode S 1", "1 (a) S 1 4711 4711 0 -1 4194560 9000 0 2 0 x 50 3 7"} {
		if got, err := parseStat(stat); err == nil {
			t.Errorf("parseStat(%q) = %v, want an error", stat, got)
		}
	}
}

func TestParseMachineStat(t *testing.T) {
	const stat = "cpu  400 50 30 9999 7 0 8 2 0 0\ncpu0 200 25 15 5000 3 0 4 1 0 0\n"
	if got, err := parseMachineStat(stat); err != nil || got != 4800*time.Millisecond {
		t.Errorf("parseMachineStat = %v, %v, want 4.8s", got, err)
	}
	if got, err := parseMachineStat("intr 5"); err == nil {
		t.Errorf("parseMachineStat of another line = %v, want an error", got)
	}
}

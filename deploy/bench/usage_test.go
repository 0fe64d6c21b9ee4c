package main

import (
	"os"
	"os/exec"
	"testing"
)

func TestParseRollup(t *testing.T) {
	const rollup = "00400000-7fff000 ---p 00000000 00:00 0    [rollup]\nRss:    1000 kB\nPss:     500 kB\nPss_Anon:   400 kB\n"
	if got, err := parseRollup(rollup); err != nil || got != 500<<10 {
		t.Errorf("parseRollup = %d, %v, want 500 KiB", got, err)
	}
	for _, rollup := range []string{"", "Rss: 1 kB\n", "Pss: many kB\n"} {
		if got, err := parseRollup(rollup); err == nil {
			t.Errorf("parseRollup(%q) = %d, want an error", rollup, got)
		}
	}
}

func TestMemoryOf(t *testing.T) {
	self, err := os.FindProcess(os.Getpid())
	if err != nil {
		t.Fatal(err)
	}
	ch := &child{name: "self", cmd: &exec.Cmd{Process: self}}
	if got, err := memoryOf([]*child{ch}); err != nil || got < 1<<20 {
		t.Errorf("memoryOf this test = %d, %v, want a MiB at least", got, err)
	}
}

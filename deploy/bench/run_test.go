package main

import (
	"errors"
	"io/fs"
	"os"
	"strings"
	"testing"
)

// The logs stay where they may tell why something failed, a process that had to be killed after Ctrl-C included.
func TestCleanUpKeepsWhatTellsWhy(t *testing.T) {
	lost, killed := errors.New("node-1 has ended"), errors.New("node-2 had to be killed")
	for _, test := range []struct {
		run, end error
		keeps    bool
	}{
		{nil, nil, false},
		{errStopped, nil, false},
		{lost, nil, true},
		{nil, killed, true},
		{errStopped, killed, true},
	} {
		dir := t.TempDir()
		err := cleanUp(dir, test.run, test.end)
		for _, want := range []error{test.run, test.end} {
			if want != nil && !errors.Is(err, want) {
				t.Errorf("cleanUp after %v and %v = %v, which leaves %v out", test.run, test.end, err, want)
			}
		}
		if said := err != nil && strings.Contains(err.Error(), dir); said != test.keeps {
			t.Errorf("cleanUp after %v and %v = %v", test.run, test.end, err)
		}
		if _, err := os.Stat(dir); errors.Is(err, fs.ErrNotExist) == test.keeps {
			t.Errorf("after %v and %v the directory is kept: %v, want %v", test.run, test.end, !test.keeps, test.keeps)
		}
	}
}

package main

import (
	"io"
	"log/slog"
	"strings"
	"testing"
)

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

// A restart goes on with leaving, and what has left doesn't start again.
func TestTheDataDirectoryRemembersThatItsNodeLeaves(t *testing.T) {
	path := t.TempDir()
	for _, left := range []bool{false, true} {
		kept, err := openDir(t, path)
		if err != nil {
			t.Fatal(err)
		}
		if err := kept.depart(departing{Left: left}); err != nil {
			t.Fatal(err)
		}
		if d, err := kept.departing(); err != nil || d == nil || d.Left != left {
			t.Fatalf("departing = %+v, %v, want left: %v", d, err, left)
		}
		closeStorage(t, kept)
	}
	if _, err := openDir(t, path); err == nil || !strings.Contains(err.Error(), "has left its cluster for good") || !strings.Contains(err.Error(), path) {
		t.Errorf("a start on the directory of a node that has left = %v, want what to do", err)
	}
}

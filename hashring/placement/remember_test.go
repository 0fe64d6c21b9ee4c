package placement

import (
	"errors"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
)

func TestFileRemembersOverARestart(t *testing.T) {
	path := filepath.Join(t.TempDir(), "placement.json")
	if d, err := NewFile(path, nil).Load(); d != nil || err != nil {
		t.Fatalf("Load of no file = %v, %v, want nil, nil", d, err)
	}
	want := chain(t, 3, "a b", "a b c")
	for _, d := range []*Document{chain(t, 3, "x"), want} {
		if err := NewFile(path, nil).Save(d); err != nil {
			t.Fatal(err)
		}
	}
	got, err := NewFile(path, nil).Load()
	if err != nil {
		t.Fatal(err)
	}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("Load = %+v, want %+v", got, want)
	}
	if left, err := filepath.Glob(filepath.Join(filepath.Dir(path), "*")); err != nil || len(left) != 1 {
		t.Errorf("the directory holds %v (%v), want the file alone", left, err)
	}
}

// TestAFileThatCanNotBeReadIsNotNothing: whoever reads "no placement" from damage would let a cluster begin anew.
func TestAFileThatCanNotBeReadIsNotNothing(t *testing.T) {
	path := filepath.Join(t.TempDir(), "placement.json")
	for _, content := range []string{"", "{", strings.Repeat("\x00", 100), `{"generation":1}`} {
		if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
		d, err := NewFile(path, nil).Load()
		if d != nil || !errors.Is(err, ErrMalformed) || !strings.Contains(err.Error(), "delete "+path) {
			t.Errorf("Load of %q = %v, %v, want ErrMalformed and what to do", content, d, err)
		}
		if w, err := NewWatcher(WatcherOptions{Replicas: 3, Memory: NewFile(path, nil)}); w != nil || err == nil {
			t.Errorf("NewWatcher over %q = %v, %v, want an error", content, w, err)
		}
	}
}

// TestFileSurvivesAnyFailure lets each operation of a Save fail in turn: the document before or the new one is there after it.
func TestFileSurvivesAnyFailure(t *testing.T) {
	before, after := chain(t, 3, "a b"), chain(t, 3, "a b", "a b c")
	for failAt := 1; ; failAt++ {
		disk := newFaultyDisk()
		f := NewFile("dir/placement.json", disk)
		if err := f.Save(before); err != nil {
			t.Fatal(err)
		}
		disk.ops, disk.failAt = 0, failAt
		err := f.Save(after)
		if failed := disk.ops >= failAt; failed != errors.Is(err, errBroken) {
			t.Errorf("operation %d fails: Save = %v after %v", failAt, err, disk.trace)
		}
		got, loadErr := NewFile("dir/placement.json", disk).Load()
		if loadErr != nil || !got.Same(before) && !got.Same(after) || err == nil && !got.Same(after) {
			t.Errorf("operation %d fails: Load = %v, %v", failAt, got, loadErr)
		}
		if disk.ops < failAt {
			break
		}
		if err := f.Save(after); err != nil {
			t.Errorf("operation %d failed: the next Save = %v, want success", failAt, err)
		}
	}
}

func TestFileSyncsInOrder(t *testing.T) {
	disk := newFaultyDisk()
	if err := NewFile("dir/p.json", disk).Save(chain(t, 3, "a")); err != nil {
		t.Fatal(err)
	}
	want := []string{"create dir/p.json.tmp", "write", "sync", "close", "rename dir/p.json.tmp dir/p.json", "syncdir dir"}
	if !reflect.DeepEqual(disk.trace, want) {
		t.Errorf("Save did %v, want %v", disk.trace, want)
	}
}

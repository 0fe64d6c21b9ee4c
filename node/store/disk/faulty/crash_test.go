package faulty

import (
	"errors"
	"io/fs"
	"math/rand/v2"
	"strings"
	"testing"

	"ringkv/node/store/disk"
)

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func create(t *testing.T, d *Disk, name, text string) disk.File {
	t.Helper()
	f, err := d.Create(name)
	must(t, err)
	_, err = f.WriteAt([]byte(text), 0)
	must(t, err)
	return f
}

func holds(t *testing.T, d *Disk, name, want string) {
	t.Helper()
	if got := d.Bytes(name); string(got) != want || got == nil {
		t.Errorf("%s holds %q, want %q", name, got, want)
	}
}

// A power cut keeps what was synced under names that were synced, and of the rest as much as it is told to.
func TestPowerCut(t *testing.T) {
	d := New()
	f := create(t, d, "synced", "1234")
	must(t, f.Sync())
	must(t, d.SyncDir())
	_, err := f.WriteAt([]byte("5678"), 4)
	must(t, err)
	must(t, create(t, d, "unnamed", "x").Sync())
	must(t, d.Rename("unnamed", "renamed"))

	none := d.PowerCut(KeepNone, nil)
	holds(t, none, "synced", "1234")
	if none.Bytes("unnamed") != nil || none.Bytes("renamed") != nil {
		t.Error("names that were not synced survived")
	}
	half := d.PowerCut(KeepHalf, nil)
	holds(t, half, "synced", "123456")
	holds(t, half, "unnamed", "x")
	all := d.PowerCut(KeepAll, nil)
	holds(t, all, "synced", "12345678")
	holds(t, all, "renamed", "x")
	holds(t, d.Clone(), "synced", "12345678")
	holds(t, d.Clone().PowerCut(KeepNone, nil), "synced", "1234")
}

// A torn write leaves sectors, and NUL bytes where the length came to the disk without them.
func TestTornWrite(t *testing.T) {
	d := New()
	f := create(t, d, "f", "")
	must(t, f.Sync())
	must(t, d.SyncDir())
	_, err := f.WriteAt([]byte(strings.Repeat("a", 4*sector)), 0)
	must(t, err)
	lengths, holes := map[int]bool{}, 0
	for seed := range uint64(200) {
		got := string(d.PowerCut(KeepTorn, rand.New(rand.NewPCG(seed, 0))).Bytes("f"))
		lengths[len(got)] = true
		if strings.Contains(strings.TrimRight(got, "\x00"), "\x00a") {
			holes++
		}
		if strings.Trim(got, "a\x00") != "" {
			t.Fatalf("bytes that nobody wrote: %q", got)
		}
	}
	if len(lengths) < 50 || holes < 20 {
		t.Errorf("%d lengths, %d files with holes: want many of both", len(lengths), holes)
	}
}

// A sync that failed has lost what it should have written, and the next one doesn't bring it back.
func TestFailedSyncLosesWhatWasWritten(t *testing.T) {
	d := New()
	f := create(t, d, "f", "")
	must(t, d.SyncDir())
	_, err := f.WriteAt([]byte("lost"), 0)
	must(t, err)
	fault := errors.New("fault")
	d.Before(func(op Op) error {
		if op.Kind == "sync" {
			return fault
		}
		return nil
	})
	if err := f.Sync(); !errors.Is(err, fault) {
		t.Fatalf("Sync: %v, want %v", err, fault)
	}
	d.Before(nil)
	must(t, f.Sync())
	holds(t, d, "f", "lost")
	holds(t, d.PowerCut(KeepAll, nil), "f", "")
}

func TestShortLetsAPartPass(t *testing.T) {
	d := New()
	f := create(t, d, "f", "")
	d.Before(func(op Op) error {
		if op.Kind == "write" || op.Kind == "read" {
			return &Short{N: 3, Err: fs.ErrPermission}
		}
		return nil
	})
	if n, err := f.WriteAt([]byte("12345"), 0); n != 3 || !errors.Is(err, fs.ErrPermission) {
		t.Errorf("WriteAt = %d, %v, want 3, %v", n, err, fs.ErrPermission)
	}
	holds(t, d, "f", "123")
	if n, err := f.ReadAt(make([]byte, 3), 0); n != 3 || !errors.Is(err, fs.ErrPermission) {
		t.Errorf("ReadAt = %d, %v, want 3, %v", n, err, fs.ErrPermission)
	}
}

package datadir

import (
	"errors"
	"math/rand/v2"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"ringkv/node/store/disk"
	"ringkv/node/store/disk/faulty"
)

func mustOpen(t *testing.T, d disk.Disk, id string) *Dir {
	t.Helper()
	dir, err := OpenOn(d, id)
	if err != nil {
		t.Fatalf("OpenOn(%q): %v", id, err)
	}
	return dir
}

func mustClose(t *testing.T, dir *Dir) {
	t.Helper()
	if err := dir.Close(); err != nil {
		t.Fatal(err)
	}
}

func TestKeepsItsIdentity(t *testing.T) {
	path := filepath.Join(t.TempDir(), "made", "with", "parents")
	dir, err := Open(path, "")
	if err != nil {
		t.Fatal(err)
	}
	first := dir.Identity()
	if !strings.HasPrefix(first.Node, "node-") || len(first.Disk) != 16 || first.Created.IsZero() {
		t.Errorf("Identity() = %+v, want one that was made up", first)
	}
	if _, err := Open(path, ""); !errors.Is(err, ErrInUse) {
		t.Errorf("Open while it is open: %v, want %v", err, ErrInUse)
	}
	mustClose(t, dir)
	for _, id := range []string{"", first.Node} {
		if dir, err = Open(path, id); err != nil {
			t.Fatal(err)
		}
		if dir.Identity() != first {
			t.Errorf("Open(%q).Identity() = %+v, want %+v", id, dir.Identity(), first)
		}
		mustClose(t, dir)
	}
	if _, err := Open(path, "another"); !errors.Is(err, ErrWrongNode) {
		t.Errorf("Open as another node: %v, want %v", err, ErrWrongNode)
	}
}

func TestTwoDirectoriesNeverShareADisk(t *testing.T) {
	a, b := mustOpen(t, faulty.New(), "n1"), mustOpen(t, faulty.New(), "n1")
	if a.Identity().Disk == b.Identity().Disk {
		t.Errorf("both are disk %s", a.Identity().Disk)
	}
}

// TestAnIdentityOnceSeenIsKept cuts the power right after Open: whatever was told to others must come back.
func TestAnIdentityOnceSeenIsKept(t *testing.T) {
	d := faulty.New()
	first := mustOpen(t, d, "").Identity()
	if again := mustOpen(t, d.PowerCut(faulty.KeepNone, nil), "").Identity(); again != first {
		t.Errorf("after a power cut Identity() = %+v, want %+v", again, first)
	}
}

// TestSurvivesPowerCutAtEveryOperation cuts the power at each step of the first opening, and of the second.
func TestSurvivesPowerCutAtEveryOperation(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 1))
	d := faulty.New()
	var known *Identity
	states := 0
	d.Before(func(op faulty.Op) error {
		if !op.Changes() {
			return nil
		}
		for _, keep := range []faulty.Keep{faulty.KeepNone, faulty.KeepHalf, faulty.KeepAll, faulty.KeepTorn, faulty.KeepTorn, faulty.KeepTorn} {
			states++
			again := mustOpen(t, d.PowerCut(keep, rng), "n1").Identity()
			if known != nil && again != *known {
				t.Errorf("after a power cut before %s %s Identity() = %+v, want %+v", op.Kind, op.Name, again, *known)
			}
		}
		return nil
	})
	for range 2 {
		dir := mustOpen(t, d, "n1")
		identity := dir.Identity()
		known = &identity
		mustClose(t, dir)
	}
	if states < 50 {
		t.Errorf("%d states were tried, want at least 50", states)
	}
}

func TestRefusesWhatItCannotBelieve(t *testing.T) {
	d := faulty.New()
	first := mustOpen(t, d, "n1").Identity()
	d = d.Clone()
	whole := d.Bytes(identityFile)
	for at := range whole {
		for bit := range 8 {
			damaged := append([]byte{}, whole...)
			damaged[at] ^= 1 << bit
			c := d.Clone()
			c.Put(identityFile, damaged)
			dir, err := OpenOn(c, "")
			if err == nil && dir.Identity() != first {
				t.Fatalf("bit %d of byte %d flipped: Identity() = %+v, want %+v", bit, at, dir.Identity(), first)
			}
			if err != nil && !errors.Is(err, ErrDamaged) {
				t.Fatalf("bit %d of byte %d flipped: %v, want %v", bit, at, err, ErrDamaged)
			}
		}
	}
	for what, hurt := range map[string]func(c *faulty.Disk){
		"cut short": func(c *faulty.Disk) { c.Put(identityFile, whole[:40]) },
		"empty":     func(c *faulty.Disk) { c.Put(identityFile, nil) },
		"NUL":       func(c *faulty.Disk) { c.Put(identityFile, make([]byte, len(whole))) },
		"missing beside data": func(c *faulty.Disk) {
			c.Put("segment-00000001.jsonl", []byte("data"))
			if err := c.Drop(identityFile); err != nil {
				t.Fatal(err)
			}
		},
	} {
		c := d.Clone()
		hurt(c)
		if _, err := OpenOn(c, ""); !errors.Is(err, ErrDamaged) {
			t.Errorf("%s: %v, want %v", what, err, ErrDamaged)
		}
		if _, err := OpenOn(c, ""); errors.Is(err, ErrInUse) {
			t.Errorf("%s: the lock is still held after the refusal", what)
		}
	}
}

func TestRefusesALaterFormat(t *testing.T) {
	d := faulty.New()
	s := stored{Format: 2, Node: "n1", Disk: "d"}
	s.CRC = s.sum()
	d.Put(identityFile, []byte(`{"format":2,"node":"n1","disk":"d","created":"0001-01-01T00:00:00Z","crc":"`+s.CRC+`"}`))
	if _, err := OpenOn(d, ""); !errors.Is(err, ErrNewer) {
		t.Errorf("Open: %v, want %v", err, ErrNewer)
	}
}

func TestSweepsAndProbes(t *testing.T) {
	d := faulty.New()
	mustClose(t, mustOpen(t, d, "n1"))
	d.Put("segment-00000007.jsonl.tmp", []byte("half"))
	d.Put("probe.tmp", []byte("pr"))
	mustClose(t, mustOpen(t, d, "n1"))
	names, err := d.List()
	if err != nil {
		t.Fatal(err)
	}
	if got := strings.Join(names, " "); got != identityFile {
		t.Errorf("files left: %s, want only %s", got, identityFile)
	}
	d.Before(func(op faulty.Op) error {
		if op.Kind == "write" {
			return syscall.EROFS
		}
		return nil
	})
	if _, err := OpenOn(d, "n1"); !errors.Is(err, syscall.EROFS) {
		t.Errorf("Open of a disk that can't be written: %v, want %v", err, syscall.EROFS)
	}
}

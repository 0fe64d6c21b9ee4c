package disk_test

import (
	"errors"
	"io"
	"io/fs"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"ringkv/node/store/disk"
	"ringkv/node/store/disk/faulty"
)

// The disk in memory has to behave as the real one, or the tests that use it prove nothing.
func TestDisksBehaveAlike(t *testing.T) {
	real, err := disk.OpenOS(filepath.Join(t.TempDir(), "made", "deep"))
	if err != nil {
		t.Fatal(err)
	}
	for name, d := range map[string]disk.Disk{"OS": real, "faulty": faulty.New()} {
		t.Run(name, func(t *testing.T) {
			names(t, d)
			content(t, d)
			locks(t, d)
			wholeFiles(t, d)
		})
	}
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func wants(t *testing.T, what string, err, want error) {
	t.Helper()
	if !errors.Is(err, want) {
		t.Errorf("%s: %v, want %v", what, err, want)
	}
}

func names(t *testing.T, d disk.Disk) {
	_, err := d.Open("a")
	wants(t, "Open of a file that isn't there", err, fs.ErrNotExist)
	wants(t, "Remove of a file that isn't there", d.Remove("a"), fs.ErrNotExist)
	wants(t, "Rename of a file that isn't there", d.Rename("a", "b"), fs.ErrNotExist)
	for _, name := range []string{"b", "a", "c"} {
		f, err := d.Create(name)
		must(t, err)
		must(t, f.Close())
	}
	_, err = d.Create("a")
	wants(t, "Create of a file that is there", err, fs.ErrExist)
	must(t, d.Rename("c", "a"))
	must(t, d.SyncDir())
	got, err := d.List()
	must(t, err)
	if want := []string{"a", "b"}; !slices.Equal(got, want) {
		t.Errorf("List() = %q, want %q", got, want)
	}
	must(t, d.Remove("a"))
	must(t, d.Remove("b"))
}

func content(t *testing.T, d disk.Disk) {
	f, err := d.Create("f")
	must(t, err)
	write := func(text string, off int64) {
		t.Helper()
		if n, err := f.WriteAt([]byte(text), off); n != len(text) || err != nil {
			t.Fatalf("WriteAt(%q, %d) = %d, %v", text, off, n, err)
		}
	}
	reads := func(want string) {
		t.Helper()
		size, err := f.Size()
		must(t, err)
		b := make([]byte, size)
		must(t, disk.ReadFull(f, b, 0))
		if string(b) != want {
			t.Errorf("the file holds %q, want %q", b, want)
		}
	}
	write("hello", 0)
	write("LL", 2)
	reads("heLLo")
	write("!", 7)
	reads("heLLo\x00\x00!")
	must(t, f.Truncate(3))
	reads("heL")
	must(t, f.Truncate(5))
	reads("heL\x00\x00")
	must(t, f.Sync())
	if n, err := f.ReadAt(make([]byte, 9), 2); n != 3 || !errors.Is(err, io.EOF) {
		t.Errorf("ReadAt over the end = %d, %v, want 3, %v", n, err, io.EOF)
	}
	wants(t, "ReadFull over the end", disk.ReadFull(f, make([]byte, 9), 2), io.ErrUnexpectedEOF)
	must(t, d.Remove("f"))
	reads("heL\x00\x00") // a file that is open stays readable
	must(t, f.Close())
	_, err = f.ReadAt(make([]byte, 1), 0)
	wants(t, "ReadAt after Close", err, fs.ErrClosed)
	wants(t, "Sync after Close", f.Sync(), fs.ErrClosed)
	wants(t, "Close after Close", f.Close(), fs.ErrClosed)
}

func locks(t *testing.T, d disk.Disk) {
	lock, err := d.Lock("lock")
	must(t, err)
	_, err = d.Lock("lock")
	wants(t, "Lock of a lock that is held", err, disk.ErrLocked)
	must(t, lock.Close())
	again, err := d.Lock("lock")
	must(t, err)
	must(t, again.Close())
}

func wholeFiles(t *testing.T, d disk.Disk) {
	for _, text := range []string{"first", "", "a longer one"} {
		must(t, disk.WriteFile(d, "whole", []byte(text)))
		got, err := disk.ReadFile(d, "whole", 100)
		if string(got) != text || err != nil {
			t.Errorf("ReadFile = %q, %v, want %q", got, err, text)
		}
	}
	if _, err := disk.ReadFile(d, "whole", 3); err == nil {
		t.Error("ReadFile of more than the limit: no error")
	}
	all, err := d.List()
	must(t, err)
	for _, name := range all {
		if strings.HasSuffix(name, disk.TempSuffix) {
			t.Errorf("%s was left behind", name)
		}
	}
}

func TestNamesDoNotLeaveTheDirectory(t *testing.T) {
	d, err := disk.OpenOS(t.TempDir())
	must(t, err)
	for _, name := range []string{"", ".", "..", "../a", "a/b", `a\b`} {
		_, err := d.Create(name)
		wants(t, "Create of "+name, err, fs.ErrInvalid)
		wants(t, "Remove of "+name, d.Remove(name), fs.ErrInvalid)
		wants(t, "Rename to "+name, d.Rename("a", name), fs.ErrInvalid)
	}
}

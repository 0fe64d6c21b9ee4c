package disk

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/gofrs/flock"
)

// OS is a directory of the operating system's file system.
type OS struct{ dir string }

// OpenOS returns the directory at path, made durably with its parents if it isn't there.
func OpenOS(path string) (*OS, error) {
	abs, err := filepath.Abs(path)
	if err != nil {
		return nil, fmt.Errorf("resolve the data directory %s: %w", path, err)
	}
	if err := makeDir(abs); err != nil {
		return nil, fmt.Errorf("make the data directory %s: %w", path, err)
	}
	return &OS{abs}, nil
}

// makeDir makes dir and its parents, and syncs each parent that got a new entry, and that of the directory that was there: a process that was
// killed may have made it just before.
func makeDir(dir string) error {
	info, err := os.Stat(dir)
	if err == nil {
		if !info.IsDir() {
			return errors.New("it is a file")
		}
		if err := syncDir(filepath.Dir(dir)); !errors.Is(err, fs.ErrPermission) { // who may not read it hasn't made it
			return err
		}
		return nil
	}
	if !errors.Is(err, os.ErrNotExist) {
		return err
	}
	parent := filepath.Dir(dir)
	if err := makeDir(parent); err != nil {
		return err
	}
	if err := os.Mkdir(dir, 0o700); err != nil && !errors.Is(err, os.ErrExist) {
		return err
	}
	return syncDir(parent)
}

func syncDir(dir string) (err error) {
	f, err := os.Open(dir)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, f.Close()) }()
	return f.Sync()
}

func (d *OS) path(name string) (string, error) {
	if name == "" || name == "." || name == ".." || strings.ContainsAny(name, `/\`) {
		return "", fmt.Errorf("file name %q: %w", name, os.ErrInvalid)
	}
	return filepath.Join(d.dir, name), nil
}

func (d *OS) open(name string, flags int) (File, error) {
	path, err := d.path(name)
	if err != nil {
		return nil, err
	}
	f, err := os.OpenFile(path, flags, 0o600)
	if err != nil {
		return nil, err
	}
	return osFile{f}, nil
}

// Create implements Disk.
func (d *OS) Create(name string) (File, error) { return d.open(name, os.O_RDWR|os.O_CREATE|os.O_EXCL) }

// Open implements Disk.
func (d *OS) Open(name string) (File, error) { return d.open(name, os.O_RDWR) }

// Rename implements Disk.
func (d *OS) Rename(from, to string) error {
	a, err := d.path(from)
	if err != nil {
		return err
	}
	b, err := d.path(to)
	if err != nil {
		return err
	}
	return os.Rename(a, b)
}

// Remove implements Disk.
func (d *OS) Remove(name string) error {
	path, err := d.path(name)
	if err != nil {
		return err
	}
	return os.Remove(path)
}

// List implements Disk.
func (d *OS) List() ([]string, error) {
	entries, err := os.ReadDir(d.dir)
	if err != nil {
		return nil, err
	}
	var names []string
	for _, e := range entries {
		if e.Type().IsRegular() {
			names = append(names, e.Name())
		}
	}
	return names, nil
}

// SyncDir implements Disk.
func (d *OS) SyncDir() error { return syncDir(d.dir) }

// Lock implements Disk with flock(2), which the kernel releases when the process dies.
func (d *OS) Lock(name string) (io.Closer, error) {
	path, err := d.path(name)
	if err != nil {
		return nil, err
	}
	l := flock.New(path)
	ok, err := l.TryLock()
	if err != nil {
		return nil, err
	}
	if !ok {
		return nil, ErrLocked
	}
	return l, nil
}

type osFile struct{ *os.File }

func (f osFile) Size() (int64, error) {
	info, err := f.Stat()
	if err != nil {
		return 0, err
	}
	return info.Size(), nil
}

// Package faulty is a disk in memory for tests: it fails where it is told to, forgets what wasn't synced when its power is
// cut, and can be copied at any moment to see what a crash there would have left.
package faulty

import (
	"fmt"
	"io"
	"io/fs"
	"maps"
	"slices"
	"sync"

	"ringkv/node/store/disk"
)

// An Op is one call that a disk is about to do.
type Op struct {
	N    int    // counted from 1 over the whole disk
	Kind string // create, open, rename, remove, list, syncdir, lock, read, write, truncate, sync, size
	Name string // of the file, as it was opened
	Off  int64
	Len  int
}

// Changes reports whether the call changes what is on the disk, or makes a change durable.
func (o Op) Changes() bool {
	switch o.Kind {
	case "create", "rename", "remove", "syncdir", "write", "truncate", "sync":
		return true
	}
	return false
}

// Short is a fault that lets the first N bytes of a read or a write pass before it fails with Err.
type Short struct {
	N   int
	Err error
}

func (s *Short) Error() string { return fmt.Sprintf("after %d bytes: %v", s.N, s.Err) }

// Unwrap returns Err.
func (s *Short) Unwrap() error { return s.Err }

// A Disk is a disk.Disk in memory. The zero value is not usable; call New.
type Disk struct {
	mu      sync.Mutex // guards everything below, and the files
	names   map[string]*inode
	durable map[string]*inode // what SyncDir made durable
	pending []dirChange       // since then
	locked  map[string]bool
	count   int
	before  func(Op) error
}

// An inode is a file's content apart from its name.
type inode struct {
	data    []byte // as a reader sees it
	synced  []byte // as it is after a power cut
	pending []change
}

// A change is a write that isn't durable yet, or a truncation when data is nil.
type change struct {
	off  int64
	data []byte
}

// A dirChange is a change of names: to gets the inode, or loses it when there is none; from loses it.
type dirChange struct {
	from, to string
	ino      *inode
}

// New returns an empty disk.
func New() *Disk {
	return &Disk{names: map[string]*inode{}, durable: map[string]*inode{}, locked: map[string]bool{}}
}

// Before sets what is called before each operation. Its error makes the operation fail with it and change nothing, except that
// a Short lets a part pass. It may block, and may copy the disk.
func (d *Disk) Before(f func(Op) error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.before = f
}

// Ops returns how many operations have been asked for.
func (d *Disk) Ops() int {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.count
}

func (d *Disk) op(o Op) error {
	d.mu.Lock()
	d.count++
	o.N = d.count
	before := d.before
	d.mu.Unlock()
	if before == nil {
		return nil
	}
	return before(o)
}

func (d *Disk) changeLocked(c dirChange) {
	c.apply(d.names)
	d.pending = append(d.pending, c)
}

func (c dirChange) apply(names map[string]*inode) {
	if c.from != "" {
		delete(names, c.from)
	}
	if c.ino == nil {
		delete(names, c.to)
		return
	}
	names[c.to] = c.ino
}

// Create implements disk.Disk.
func (d *Disk) Create(name string) (disk.File, error) {
	if err := d.op(Op{Kind: "create", Name: name}); err != nil {
		return nil, err
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.names[name] != nil {
		return nil, fmt.Errorf("create %s: %w", name, fs.ErrExist)
	}
	ino := &inode{}
	d.changeLocked(dirChange{to: name, ino: ino})
	return &file{d: d, name: name, ino: ino}, nil
}

// Open implements disk.Disk.
func (d *Disk) Open(name string) (disk.File, error) {
	if err := d.op(Op{Kind: "open", Name: name}); err != nil {
		return nil, err
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	ino := d.names[name]
	if ino == nil {
		return nil, fmt.Errorf("open %s: %w", name, fs.ErrNotExist)
	}
	return &file{d: d, name: name, ino: ino}, nil
}

// Rename implements disk.Disk.
func (d *Disk) Rename(from, to string) error {
	if err := d.op(Op{Kind: "rename", Name: to}); err != nil {
		return err
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	ino := d.names[from]
	if ino == nil {
		return fmt.Errorf("rename %s: %w", from, fs.ErrNotExist)
	}
	d.changeLocked(dirChange{from: from, to: to, ino: ino})
	return nil
}

// Remove implements disk.Disk.
func (d *Disk) Remove(name string) error {
	if err := d.op(Op{Kind: "remove", Name: name}); err != nil {
		return err
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.names[name] == nil {
		return fmt.Errorf("remove %s: %w", name, fs.ErrNotExist)
	}
	d.changeLocked(dirChange{to: name})
	return nil
}

// List implements disk.Disk.
func (d *Disk) List() ([]string, error) {
	if err := d.op(Op{Kind: "list"}); err != nil {
		return nil, err
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	return slices.Sorted(maps.Keys(d.names)), nil
}

// SyncDir implements disk.Disk.
func (d *Disk) SyncDir() error {
	if err := d.op(Op{Kind: "syncdir"}); err != nil {
		return err
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	d.durable, d.pending = maps.Clone(d.names), nil
	return nil
}

// Lock implements disk.Disk.
func (d *Disk) Lock(name string) (io.Closer, error) {
	if err := d.op(Op{Kind: "lock", Name: name}); err != nil {
		return nil, err
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.locked[name] {
		return nil, disk.ErrLocked
	}
	d.locked[name] = true
	return &lock{d, name}, nil
}

type lock struct {
	d    *Disk
	name string
}

func (l *lock) Close() error {
	l.d.mu.Lock()
	defer l.d.mu.Unlock()
	delete(l.d.locked, l.name)
	return nil
}

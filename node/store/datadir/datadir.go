// Package datadir opens a node's data directory: it locks it, proves that it can be written, sweeps what a crash left half
// made, and keeps in node.json who the directory belongs to.
package datadir

import (
	"errors"
	"fmt"
	"io"
	"strings"

	"ringkv/node/store/disk"
)

const (
	lockFile  = "lock"
	probeFile = "probe"
)

var (
	// ErrInUse is returned by Open when another process has the directory open.
	ErrInUse = errors.New("the data directory is in use by another node: stop that one, or give this one another -data")
	// ErrWrongNode is returned by Open when the directory belongs to a node of another id.
	ErrWrongNode = errors.New("the data directory belongs to another node: start that one, or give this one another -data")
	// ErrNewer is returned by Open when a newer version of the program wrote the directory.
	ErrNewer = errors.New("the data directory was written by a newer version: start that version")
	// ErrDamaged is returned by Open when node.json can't be believed.
	ErrDamaged = errors.New("node.json is damaged: restore it from a copy, or remove the data directory, and the node starts as a new one that the others fill")
)

// A Dir is an open data directory.
type Dir struct {
	disk     disk.Disk
	lock     io.Closer
	identity Identity
}

// Open opens the directory at path, making it if it isn't there. id is the node's id; when it is empty the stored one is
// taken, and one is made and stored when there is none. Errors: ErrInUse, ErrWrongNode, ErrNewer, ErrDamaged, or what the disk says.
func Open(path, id string) (*Dir, error) {
	d, err := disk.OpenOS(path)
	if err != nil {
		return nil, err
	}
	dir, err := OpenOn(d, id)
	if err != nil {
		return nil, fmt.Errorf("open the data directory %s: %w", path, err)
	}
	return dir, nil
}

// OpenOn is Open on a disk.
func OpenOn(d disk.Disk, id string) (*Dir, error) {
	lock, err := d.Lock(lockFile)
	if errors.Is(err, disk.ErrLocked) {
		return nil, ErrInUse
	}
	if err != nil {
		return nil, fmt.Errorf("lock it: %w", err)
	}
	dir := &Dir{disk: d, lock: lock}
	if err := dir.prepare(id); err != nil {
		return nil, errors.Join(err, lock.Close())
	}
	return dir, nil
}

func (d *Dir) prepare(id string) error {
	if err := d.sweep(); err != nil {
		return fmt.Errorf("sweep what was left half written: %w", err)
	}
	identity, stored, err := loadIdentity(d.disk, id)
	if err != nil {
		return err
	}
	if err := d.probe(); err != nil {
		return fmt.Errorf("try to write to it: %w", err)
	}
	d.identity = identity
	if stored {
		return nil
	}
	return identity.save(d.disk)
}

// sweep removes the files that were being written when the last process ended.
func (d *Dir) sweep() error {
	names, err := d.disk.List()
	if err != nil {
		return err
	}
	for _, name := range names {
		if strings.HasSuffix(name, disk.TempSuffix) {
			if err := d.disk.Remove(name); err != nil {
				return err
			}
		}
	}
	return nil
}

// probe proves that files can be written, renamed and removed, before anything depends on it.
func (d *Dir) probe() error {
	if err := disk.WriteFile(d.disk, probeFile, []byte("probe\n")); err != nil {
		return err
	}
	return d.disk.Remove(probeFile)
}

// Identity returns who the directory belongs to.
func (d *Dir) Identity() Identity { return d.identity }

// Disk returns the directory for those that keep files in it. It must not be used after Close.
func (d *Dir) Disk() disk.Disk { return d.disk }

// Close gives the lock back. Close what keeps files in the directory first.
func (d *Dir) Close() error { return d.lock.Close() }

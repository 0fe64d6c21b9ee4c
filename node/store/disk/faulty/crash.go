package faulty

import (
	"bytes"
	"fmt"
	"io/fs"
	"maps"
	"math/rand/v2"
	"slices"
)

// Keep says what a power cut leaves of the things that weren't synced.
type Keep int

// What a power cut keeps.
const (
	KeepNone Keep = iota // nothing
	KeepHalf             // the first half of the changes, and half of the write after them
	KeepAll              // everything
	KeepTorn             // any sectors of the writes, with NUL bytes for the others, and any of the changes of names
)

const sector = 512

// Clone returns an independent copy of the disk as a process would find it that was killed at this moment: the system's cache,
// and with it everything that was written, is there; locks are free. Faults are not copied.
func (d *Disk) Clone() *Disk {
	d.mu.Lock()
	defer d.mu.Unlock()
	c := New()
	copies := map[*inode]*inode{}
	copyOf := func(i *inode) *inode {
		if i == nil {
			return nil
		}
		if copies[i] == nil {
			copies[i] = &inode{bytes.Clone(i.data), bytes.Clone(i.synced), slices.Clone(i.pending)}
		}
		return copies[i]
	}
	for name, i := range d.names {
		c.names[name] = copyOf(i)
	}
	for name, i := range d.durable {
		c.durable[name] = copyOf(i)
	}
	for _, p := range d.pending {
		c.pending = append(c.pending, dirChange{p.from, p.to, copyOf(p.ino)})
	}
	return c
}

// PowerCut returns a copy of the disk as it is after its power was cut at this moment. rng is used by KeepTorn alone.
func (d *Disk) PowerCut(keep Keep, rng *rand.Rand) *Disk {
	c := d.Clone()
	for i, p := range c.pending {
		if keep == KeepAll || keep == KeepHalf && i < len(c.pending)/2 || keep == KeepTorn && rng.IntN(2) == 0 {
			p.apply(c.durable)
		}
	}
	c.names, c.pending = maps.Clone(c.durable), nil
	for _, name := range slices.Sorted(maps.Keys(c.names)) {
		c.names[name].powerCut(keep, rng)
	}
	return c
}

func (i *inode) powerCut(keep Keep, rng *rand.Rand) {
	for n, p := range i.pending {
		switch {
		case keep == KeepAll || keep == KeepHalf && n < len(i.pending)/2:
			i.synced = p.apply(i.synced)
		case keep == KeepHalf && n == len(i.pending)/2 && p.data != nil:
			i.synced = change{p.off, p.data[:len(p.data)/2]}.apply(i.synced)
		case keep == KeepTorn:
			i.synced = p.tear(i.synced, rng)
		}
	}
	i.data, i.pending = bytes.Clone(i.synced), nil
}

// tear applies some sectors of a write. The length of the file may have been made durable without the bytes, which
// then read as NUL.
func (c change) tear(b []byte, rng *rand.Rand) []byte {
	if c.data == nil {
		if rng.IntN(2) == 0 {
			return c.apply(b)
		}
		return b
	}
	end := c.off + int64(rng.IntN(len(c.data)+1))
	if grown := end - int64(len(b)); grown > 0 {
		b = append(b, make([]byte, grown)...)
	}
	for from := c.off; from < end; {
		to := min(end, from-from%sector+sector)
		if rng.IntN(2) == 0 {
			copy(b[from:to], c.data[from-c.off:to-c.off])
		}
		from = to
	}
	return b
}

// Bytes returns a copy of what the file name holds, for tests that look at it or damage it; nil when there is none.
func (d *Disk) Bytes(name string) []byte {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.names[name] == nil {
		return nil
	}
	return append([]byte{}, d.names[name].data...)
}

// Put gives the file name the content data, durably and without asking Before: surgery for tests.
func (d *Disk) Put(name string, data []byte) {
	d.mu.Lock()
	defer d.mu.Unlock()
	i := &inode{data: bytes.Clone(data), synced: bytes.Clone(data)}
	d.names[name], d.durable[name] = i, i
}

// Names returns the names of all files, sorted, without asking Before.
func (d *Disk) Names() []string {
	d.mu.Lock()
	defer d.mu.Unlock()
	return slices.Sorted(maps.Keys(d.names))
}

// Flip turns over the bits of one byte of a file, as a disk may that nobody writes to. It does nothing beyond the file's end, or where there is none.
func (d *Disk) Flip(name string, off int64, bits byte) {
	d.mu.Lock()
	defer d.mu.Unlock()
	i := d.names[name]
	if i == nil {
		return
	}
	for _, data := range [][]byte{i.data, i.synced} {
		if off < int64(len(data)) {
			data[off] ^= bits
		}
	}
}

// Drop takes the file name away, as Put puts it there.
func (d *Disk) Drop(name string) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.names[name] == nil {
		return fmt.Errorf("drop %s: %w", name, fs.ErrNotExist)
	}
	delete(d.names, name)
	delete(d.durable, name)
	return nil
}

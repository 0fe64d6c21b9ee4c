package faulty

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
)

// A file is one open handle.
type file struct {
	d      *Disk
	name   string
	ino    *inode
	closed bool
}

// op asks for leave, and returns how many of o.Len bytes may pass before which error.
func (f *file) op(o Op) (int, error) {
	o.Name = f.name
	err := f.d.op(o)
	if short := (*Short)(nil); errors.As(err, &short) {
		return min(short.N, o.Len), short.Err
	}
	if err != nil {
		return 0, err
	}
	return o.Len, nil
}

func (f *file) openLocked() error {
	if f.closed {
		return fmt.Errorf("%s: %w", f.name, fs.ErrClosed)
	}
	return nil
}

func (f *file) ReadAt(p []byte, off int64) (int, error) {
	allowed, fault := f.op(Op{Kind: "read", Off: off, Len: len(p)})
	f.d.mu.Lock()
	defer f.d.mu.Unlock()
	if err := f.openLocked(); err != nil {
		return 0, err
	}
	n := 0
	if off < int64(len(f.ino.data)) {
		n = copy(p[:allowed], f.ino.data[off:])
	}
	if fault != nil {
		return n, fault
	}
	if n < len(p) {
		return n, io.EOF
	}
	return n, nil
}

func (f *file) WriteAt(p []byte, off int64) (int, error) {
	allowed, fault := f.op(Op{Kind: "write", Off: off, Len: len(p)})
	f.d.mu.Lock()
	defer f.d.mu.Unlock()
	if err := f.openLocked(); err != nil {
		return 0, err
	}
	if allowed > 0 {
		f.ino.change(change{off, append([]byte{}, p[:allowed]...)})
	}
	return allowed, fault
}

func (f *file) Truncate(size int64) error {
	if _, err := f.op(Op{Kind: "truncate", Off: size}); err != nil {
		return err
	}
	f.d.mu.Lock()
	defer f.d.mu.Unlock()
	if err := f.openLocked(); err != nil {
		return err
	}
	f.ino.change(change{off: size})
	return nil
}

// Sync drops what is pending when it fails, as Linux does: the pages stay readable, count as clean, and are never written.
func (f *file) Sync() error {
	_, fault := f.op(Op{Kind: "sync"})
	f.d.mu.Lock()
	defer f.d.mu.Unlock()
	if err := f.openLocked(); err != nil {
		return err
	}
	if fault == nil {
		for _, c := range f.ino.pending {
			f.ino.synced = c.apply(f.ino.synced)
		}
	}
	f.ino.pending = nil
	return fault
}

func (f *file) Size() (int64, error) {
	if _, err := f.op(Op{Kind: "size"}); err != nil {
		return 0, err
	}
	f.d.mu.Lock()
	defer f.d.mu.Unlock()
	return int64(len(f.ino.data)), f.openLocked()
}

func (f *file) Close() error {
	f.d.mu.Lock()
	defer f.d.mu.Unlock()
	if err := f.openLocked(); err != nil {
		return err
	}
	f.closed = true
	return nil
}

func (i *inode) change(c change) {
	i.data = c.apply(i.data)
	i.pending = append(i.pending, c)
}

// apply returns b after the change; b's array may be reused.
func (c change) apply(b []byte) []byte {
	if c.data == nil {
		if c.off <= int64(len(b)) {
			return b[:c.off:c.off]
		}
		return append(b, make([]byte, c.off-int64(len(b)))...)
	}
	if gap := c.off + int64(len(c.data)) - int64(len(b)); gap > 0 {
		b = append(b, make([]byte, gap)...)
	}
	copy(b[c.off:], c.data)
	return b
}

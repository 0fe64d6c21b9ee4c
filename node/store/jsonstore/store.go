package jsonstore

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"sync"
	"sync/atomic"

	"ringkv/node/record"
	"ringkv/node/store"
	"ringkv/node/store/disk"
)

// Store implements store.Store and store.Doubter with JSON Lines on a disk.
type Store struct {
	disk     disk.Disk
	options  Options
	log      *slog.Logger
	index    *index
	segments *segments
	newest   atomic.Pointer[record.Version]
	damaged  atomic.Int64
	failure  atomic.Pointer[error]
	closed   atomic.Bool
	queue    queue
	probe    probe

	commit sync.Mutex // guards the end of the log: active, its size, lines and write, and what follows
	active *segment
	buf    []byte
	placed []placed
	lost   bool // lines were lost to damage, and not known of what

	maintenance sync.Mutex // held while segments are compacted or get hints
	background  background
}

var (
	_ store.Store   = (*Store)(nil)
	_ store.Doubter = (*Store)(nil)
)

// Get implements store.Store. It reads the line from the disk, and checks that it is the one it should be.
func (s *Store) Get(key string) (record.Record, bool, error) {
	var last spot
	for {
		if s.closed.Load() {
			return record.Record{}, false, store.ErrClosed
		}
		e, ok, doubt := s.index.get(key)
		switch {
		case !ok && doubt:
			return record.Record{}, false, fmt.Errorf("%w: a line whose key can't be read may have been of %q", store.ErrCorrupt, key)
		case !ok:
			return record.Record{}, false, nil
		case e.flags&(flagDamaged|flagUnsure) != 0:
			return record.Record{}, false, fmt.Errorf("%w: %q", store.ErrCorrupt, key)
		}
		r, err := s.read(key, e)
		if errors.Is(err, fs.ErrClosed) && e.spot != last {
			last = e.spot // compaction has moved it meanwhile: look again
			continue
		}
		return r, err == nil, err
	}
}

// read reads the record that e points to.
func (s *Store) read(key string, e entry) (record.Record, error) {
	seg := s.segments.get(e.seg)
	if seg == nil {
		return record.Record{}, fs.ErrClosed
	}
	buf := make([]byte, e.size+headBytes)
	raw, scratch := buf[:e.size], buf[e.size:]
	if err := disk.ReadFull(seg.file, raw, int64(e.off)); err != nil {
		return record.Record{}, fmt.Errorf("read %q from %s: %w", key, seg.name(), err)
	}
	l := decodeLine(raw[:len(raw)-1], scratch)
	if !l.ok || l.kind != kindRecord || string(l.key) != key || l.version != e.version {
		s.damaged.Add(1)
		s.index.flagDamage(e.seg, int64(e.off), int64(e.off)+int64(e.size))
		s.log.Error("a record is damaged on disk", "key", key, "file", seg.name(), "offset", e.off)
		return record.Record{}, fmt.Errorf("%w: %q in %s at byte %d", store.ErrCorrupt, key, seg.name(), e.off)
	}
	r := record.Record{
		Key: key, Version: l.version, Deleted: l.deleted, Type: string(l.typ), Value: l.value,
		Derived: l.derived, Origin: l.origin, Ballot: l.ballot,
	}
	if r.Value == nil {
		r.Value = []byte{}
	}
	return r, nil
}

// Head implements store.Store.
func (s *Store) Head(key string) (store.Head, bool) {
	e, ok, doubt := s.index.get(key)
	if !ok {
		return store.Head{Damaged: doubt}, doubt
	}
	return store.Head{
		Version: e.version,
		Deleted: e.flags&flagDeleted != 0,
		Marked:  e.flags&flagMarked != 0,
		Damaged: e.flags&(flagDamaged|flagUnsure) != 0,
	}, true
}

// Walk implements store.Store. It sorts the keys that it will visit, of the whole slot, each time it is called.
func (s *Store) Walk(slot int, after string, fn func(record.Record) bool) error {
	if s.closed.Load() {
		return store.ErrClosed
	}
	var damaged error
	for _, key := range s.index.tables[slot].after(bytesOf(after)) {
		r, ok, err := s.Get(string(key))
		if errors.Is(err, store.ErrCorrupt) {
			damaged = err
			continue
		}
		if err != nil {
			return err
		}
		if ok && !fn(r) {
			break
		}
	}
	if damaged == nil {
		damaged = s.doubtOf(slot)
	}
	return damaged
}

// Heads implements store.Store. Like Walk, it sorts the keys of the whole slot each time it is called.
func (s *Store) Heads(slot int, after string, fn func(key string, h store.Head) bool) error {
	if s.closed.Load() {
		return store.ErrClosed
	}
	for _, key := range s.index.tables[slot].after(bytesOf(after)) {
		if h, ok := s.Head(string(key)); ok && !fn(string(key), h) {
			return nil
		}
	}
	return s.doubtOf(slot)
}

// doubtOf returns ErrCorrupt where a key of the slot may be missing.
func (s *Store) doubtOf(slot int) error {
	if s.index.tables[slot].doubts() {
		return fmt.Errorf("%w: a line whose key can't be read may have been of slot %d", store.ErrCorrupt, slot)
	}
	return nil
}

// Plain implements store.Store.
func (s *Store) Plain(slot int) bool {
	t := &s.index.tables[slot]
	t.mu.RLock()
	defer t.mu.RUnlock()
	return !t.doubt && !s.closed.Load() && !t.anyLocked(func(e *entry) bool {
		return e.flags&flagForgotten == 0 && e.flags&(flagMarked|flagDamaged|flagUnsure) != 0
	})
}

// Digest implements store.Store. Records that Head calls damaged add nothing to it.
func (s *Store) Digest(slot int) uint64 {
	t := &s.index.tables[slot]
	t.mu.RLock()
	defer t.mu.RUnlock()
	return t.digest
}

// SlotState implements store.Store. While the slot is Doubtful, it may be an older one.
func (s *Store) SlotState(slot int) []byte {
	t := &s.index.tables[slot]
	t.mu.RLock()
	defer t.mu.RUnlock()
	return t.state
}

// Doubtful implements store.Doubter.
func (s *Store) Doubtful(slot int) bool {
	t := &s.index.tables[slot]
	t.mu.RLock()
	defer t.mu.RUnlock()
	return t.doubt || t.stateBad
}

// doubts reports whether a key of the slot may be missing, or have a newer record than the one known.
func (t *table) doubts() bool {
	t.mu.RLock()
	defer t.mu.RUnlock()
	return t.doubt
}

// MaxVersion implements store.Store.
func (s *Store) MaxVersion() record.Version {
	if v := s.newest.Load(); v != nil {
		return *v
	}
	return record.Version{}
}

// observe raises MaxVersion. It is for recovery and for the holder of commit.
func (s *Store) observe(v record.Version) {
	if v.After(s.MaxVersion()) {
		s.newest.Store(&v)
	}
}

// Stats implements store.Store.
func (s *Store) Stats() store.Stats {
	st := s.bytes()
	st.Keys = int(s.index.keys.Load())
	st.Tombstones = int(s.index.deleted.Load())
	st.Damaged = int(s.damaged.Load())
	st.Doubtful = s.index.doubtful()
	return st
}

// bytes returns the part of Stats that is about files.
func (s *Store) bytes() (st store.Stats) {
	for _, seg := range s.segments.list() {
		st.Segments++
		st.LiveBytes += seg.live.Load()
		st.DiskBytes += seg.size.Load()
	}
	return st
}

// Failed returns why the store takes no more writes, nil as long as it does.
func (s *Store) Failed() error {
	if err := s.failure.Load(); err != nil {
		return *err
	}
	return nil
}

// fail ends all writing. It returns the error of the first failure.
func (s *Store) fail(doing string, err error) error {
	failure := fmt.Errorf("%w: %s: %w", store.ErrFailed, doing, err)
	if s.failure.CompareAndSwap(nil, &failure) {
		s.log.Error("the store has failed and takes no more writes", "doing", doing, "error", err)
	}
	return s.Failed()
}

// Close implements store.Store. It leaves hint files, so that the next Open is fast.
func (s *Store) Close() error {
	s.background.stop()
	s.maintenance.Lock()
	defer s.maintenance.Unlock()
	s.commit.Lock()
	defer s.commit.Unlock()
	if s.closed.Swap(true) {
		return nil
	}
	err := s.writeHints(context.Background(), s.segments.list())
	return errors.Join(err, s.probe.close(), s.segments.close())
}

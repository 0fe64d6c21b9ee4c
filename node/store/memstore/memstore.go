// Package memstore is the engine that keeps records in memory alone. Nothing of it survives the process: a node that runs on it is a new one
// at each start.
package memstore

import (
	"context"
	"slices"
	"strings"
	"sync"
	"sync/atomic"

	"ringkv/hashring"
	"ringkv/node/record"
	"ringkv/node/store"
)

// Store implements store.Store in memory. It never fails for want of a disk.
type Store struct {
	apply  sync.Mutex // held by Apply and Close, so that they take turns
	closed atomic.Bool
	newest atomic.Pointer[record.Version]
	slots  [hashring.Slots]slot
}

type slot struct {
	mu      sync.RWMutex // guards what follows
	records map[string]record.Record
	state   []byte
	keys    int // with a value
	deleted int
	bytes   int64
	digest  uint64
}

var _ store.Store = (*Store)(nil)

// Open returns an empty store.
func Open() *Store { return &Store{} }

// Apply implements store.Store.
func (s *Store) Apply(b store.Batch) error {
	s.apply.Lock()
	defer s.apply.Unlock()
	if s.closed.Load() {
		return store.ErrClosed
	}
	for _, slot := range b.Drop {
		s.slots[slot].drop()
	}
	newest := s.MaxVersion()
	for _, r := range b.Records {
		s.slots[hashring.SlotOf(r.Key)].put(clone(r))
		for _, v := range []record.Version{r.Version, r.Origin, r.Ballot} {
			if v.After(newest) {
				newest = v
			}
		}
	}
	s.newest.Store(&newest)
	for _, st := range b.Slots {
		s.slots[st.Slot].setState(slices.Clone(st.State))
	}
	return nil
}

// clone keeps the store apart from what the caller does with its buffers. A tombstone has no value.
func clone(r record.Record) record.Record {
	r.Key, r.Type = strings.Clone(r.Key), strings.Clone(r.Type)
	if r.Deleted {
		r.Type, r.Value = "", nil
	}
	r.Value = append([]byte{}, r.Value...)
	return r
}

func (s *slot) put(r record.Record) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.records == nil {
		s.records = map[string]record.Record{}
	}
	if old, ok := s.records[r.Key]; ok {
		s.count(old, -1)
	}
	s.count(r, 1)
	s.records[r.Key] = r
}

func (s *slot) count(r record.Record, by int) {
	s.bytes += int64(by * (len(r.Key) + len(r.Type) + len(r.Value)))
	if r.Exists() {
		s.keys += by
	}
	if r.Deleted {
		s.deleted += by
	}
	s.digest += uint64(by) * store.Fingerprint(r.Key, r.Version, r.Deleted)
}

func (s *slot) drop() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.records, s.keys, s.deleted, s.bytes, s.digest = nil, 0, 0, 0, 0
}

func (s *slot) setState(state []byte) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.state = state
}

func (s *slot) get(key string) (record.Record, bool) {
	s.mu.RLock()
	defer s.mu.RUnlock()
	r, ok := s.records[key]
	return r, ok
}

// Get implements store.Store.
func (s *Store) Get(key string) (record.Record, bool, error) {
	if s.closed.Load() {
		return record.Record{}, false, store.ErrClosed
	}
	r, ok := s.slots[hashring.SlotOf(key)].get(key)
	return r, ok, nil
}

// Head implements store.Store.
func (s *Store) Head(key string) (store.Head, bool) {
	r, ok := s.slots[hashring.SlotOf(key)].get(key)
	return headOf(r), ok
}

func headOf(r record.Record) store.Head {
	return store.Head{Version: r.Version, Deleted: r.Deleted, Marked: r.Derived || !r.Origin.IsZero() || !r.Ballot.IsZero()}
}

// Walk implements store.Store. It sorts the slot's keys each time it is called.
func (s *Store) Walk(number int, after string, fn func(record.Record) bool) error {
	if s.closed.Load() {
		return store.ErrClosed
	}
	sl := &s.slots[number]
	for _, key := range sl.keysAfter(after) {
		if r, ok := sl.get(key); ok && !fn(r) {
			return nil
		}
	}
	return nil
}

// Heads implements store.Store.
func (s *Store) Heads(number int, after string, fn func(key string, h store.Head) bool) error {
	return s.Walk(number, after, func(r record.Record) bool { return fn(r.Key, headOf(r)) })
}

// Plain implements store.Store.
func (s *Store) Plain(number int) bool {
	sl := &s.slots[number]
	sl.mu.RLock()
	defer sl.mu.RUnlock()
	for _, r := range sl.records {
		if headOf(r).Marked {
			return false
		}
	}
	return !s.closed.Load()
}

// Digest implements store.Store.
func (s *Store) Digest(number int) uint64 {
	sl := &s.slots[number]
	sl.mu.RLock()
	defer sl.mu.RUnlock()
	return sl.digest
}

// Forget implements store.Store.
func (s *Store) Forget(number int, upTo record.Version) error {
	if s.closed.Load() {
		return store.ErrClosed
	}
	sl := &s.slots[number]
	sl.mu.Lock()
	defer sl.mu.Unlock()
	for key, r := range sl.records {
		if r.Deleted && !r.Version.After(upTo) && !r.Ballot.After(upTo) {
			sl.count(r, -1)
			delete(sl.records, key)
		}
	}
	return nil
}

func (s *slot) keysAfter(after string) []string {
	s.mu.RLock()
	keys := make([]string, 0, len(s.records))
	for key := range s.records {
		if key > after {
			keys = append(keys, key)
		}
	}
	s.mu.RUnlock()
	slices.Sort(keys)
	return keys
}

// SlotState implements store.Store.
func (s *Store) SlotState(number int) []byte {
	sl := &s.slots[number]
	sl.mu.RLock()
	defer sl.mu.RUnlock()
	return sl.state
}

// MaxVersion implements store.Store.
func (s *Store) MaxVersion() record.Version {
	if v := s.newest.Load(); v != nil {
		return *v
	}
	return record.Version{}
}

// Compact has nothing to do.
func (s *Store) Compact(ctx context.Context) error {
	if s.closed.Load() {
		return store.ErrClosed
	}
	return ctx.Err()
}

// Check implements store.Store. There is no disk that might not answer.
func (s *Store) Check(ctx context.Context) error { return s.Compact(ctx) }

// Stats implements store.Store.
func (s *Store) Stats() store.Stats {
	var st store.Stats
	for i := range s.slots {
		sl := &s.slots[i]
		sl.mu.RLock()
		st.Keys += sl.keys
		st.Tombstones += sl.deleted
		st.LiveBytes += sl.bytes
		sl.mu.RUnlock()
	}
	return st
}

// Close implements store.Store.
func (s *Store) Close() error {
	s.apply.Lock()
	defer s.apply.Unlock()
	s.closed.Store(true)
	return nil
}

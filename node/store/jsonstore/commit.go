package jsonstore

import (
	"errors"
	"fmt"
	"slices"
	"sync"

	"ringkv/hashring"
	"ringkv/node/store"
)

// A request is one Apply that waits to become durable.
type request struct {
	batch    store.Batch
	repaired []int // slots
	done     bool
	err      error
}

func (r *request) lines() int { return len(r.batch.Records) + len(r.batch.Slots) + len(r.repaired) }

// bytes is about what the request will take on disk.
func (r *request) bytes() int {
	n := 0
	for i := range r.batch.Records {
		n += 150 + len(r.batch.Records[i].Key) + len(r.batch.Records[i].Value)
	}
	for i := range r.batch.Slots {
		n += 100 + len(r.batch.Slots[i].State)
	}
	return n + 80*len(r.repaired)
}

// A queue holds the requests that came while a write was under way.
type queue struct {
	mu      sync.Mutex // guards waiting
	waiting []*request
}

func (q *queue) add(r *request) {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.waiting = append(q.waiting, r)
}

// take returns the oldest requests, at least one, up to a bound of bytes.
func (q *queue) take() []*request {
	q.mu.Lock()
	defer q.mu.Unlock()
	n, bytes := 0, 0
	for n < len(q.waiting) && (n == 0 || bytes+q.waiting[n].bytes() <= maxGroupBytes) {
		bytes += q.waiting[n].bytes()
		n++
	}
	group := q.waiting[:n:n]
	q.waiting = q.waiting[n:]
	return group
}

// Apply implements store.Store. Calls that come while a write is under way share the next write and its sync: whoever gets the lock first
// writes for all.
func (s *Store) Apply(b store.Batch) error {
	if err := s.checkBatch(b); err != nil {
		return err
	}
	return s.submit(&request{batch: b})
}

// Repaired implements store.Doubter.
func (s *Store) Repaired(slot int) error {
	if slot < 0 || slot >= hashring.Slots {
		return fmt.Errorf("slot %d: there are slots 0 to %d", slot, hashring.Slots-1)
	}
	return s.submit(&request{repaired: []int{slot}})
}

func (s *Store) submit(r *request) error {
	if s.closed.Load() {
		return store.ErrClosed
	}
	if r.lines() == 0 {
		return s.Failed()
	}
	s.queue.add(r)
	s.commit.Lock()
	defer s.commit.Unlock()
	for !r.done {
		s.commitGroupLocked(s.queue.take())
	}
	return r.err
}

var errBatch = errors.New("batch can't be stored")

func (s *Store) checkBatch(b store.Batch) error {
	if len(b.Drop) > 0 {
		return fmt.Errorf("%w: slots can't be dropped", errBatch)
	}
	for i := range b.Records {
		if n := len(b.Records[i].Key); n == 0 || n > maxKeyBytes {
			return fmt.Errorf("%w: a key of %d bytes; 1 to %d are possible", errBatch, n, maxKeyBytes)
		}
		if !s.index.takes(b.Records[i].Key) {
			return fmt.Errorf("%w: the slot of %q has %d keys and takes no more", store.ErrFull, b.Records[i].Key, crowdedEntries)
		}
	}
	for _, st := range b.Slots {
		if st.Slot < 0 || st.Slot >= hashring.Slots {
			return fmt.Errorf("%w: slot %d; there are slots 0 to %d", errBatch, st.Slot, hashring.Slots-1)
		}
	}
	return nil
}

// commitGroupLocked makes the group durable as one write, and then seen.
func (s *Store) commitGroupLocked(group []*request) {
	err := s.writeGroupLocked(group)
	for _, r := range group {
		r.done, r.err = true, err
	}
}

func (s *Store) writeGroupLocked(group []*request) error {
	switch {
	case s.closed.Load():
		return store.ErrClosed
	case s.Failed() != nil:
		return s.Failed()
	case s.active.size.Load() >= s.options.SegmentBytes:
		if err := s.rotateLocked(); err != nil {
			return err
		}
	}
	all := s.encodeLocked(group)
	s.options.At(PointAppend)
	if err := s.appendLocked(s.buf, uint64(len(all))); err != nil {
		return err
	}
	s.options.At(PointSynced)
	newest := s.MaxVersion()
	for i := range all {
		s.index.put(&all[i].line, all[i].spot)
		if v := all[i].newest(); v.After(newest) {
			newest = v
		}
	}
	s.observe(newest)
	clear(all) // it points to the callers' memory
	if cap(s.buf) > keepBufferBytes {
		s.buf, s.placed = nil, nil
	}
	s.options.At(PointSeen)
	return nil
}

// A placed line is one that is about to be written, and where it will lie.
type placed struct {
	line
	spot
}

// encodeLocked fills buf with the lines of a group. States come after records, so that a state never outlives the
// records that it came with.
func (s *Store) encodeLocked(group []*request) []placed {
	n := 0
	for _, r := range group {
		n += r.lines()
	}
	all := slices.Grow(s.placed[:0], n)
	s.buf = s.buf[:0]
	at := place{write: s.active.write + 1, of: uint32(n)}
	add := func(l line) {
		at.line++
		l.place, l.ok, l.headOK = at, true, true
		from := len(s.buf)
		s.buf = l.appendTo(s.buf)
		off := uint32(s.active.size.Load()) + uint32(from)
		all = append(all, placed{l, spot{s.active.id, off, uint32(len(s.buf) - from)}})
	}
	for _, r := range group {
		for i := range r.batch.Records {
			add(recordLine(r.batch.Records[i], place{}))
		}
	}
	for _, r := range group {
		for _, st := range r.batch.Slots {
			add(line{kind: kindState, slot: st.Slot, value: st.State})
		}
		for _, slot := range r.repaired {
			add(line{kind: kindRepaired, slot: slot})
		}
	}
	s.placed = all
	return all
}

// appendLocked writes b to the end of the active segment and syncs it. When it doesn't return nil, nothing of b counts.
func (s *Store) appendLocked(b []byte, lines uint64) error {
	seg := s.active
	end := seg.size.Load()
	if len(b) > maxBatchBytes {
		return fmt.Errorf("%w: it takes %d bytes on disk; at most %d are possible", errBatch, len(b), maxBatchBytes)
	}
	if _, err := seg.file.WriteAt(b, end); err != nil {
		return s.takeBackLocked(err)
	}
	s.options.At(PointWritten)
	if err := seg.file.Sync(); err != nil {
		return s.fail("sync "+seg.name(), err)
	}
	seg.size.Add(int64(len(b)))
	seg.lines += lines
	seg.write++
	return nil
}

// takeBackLocked cuts off what a failed write left behind. If that works the segment is as good as before.
func (s *Store) takeBackLocked(cause error) error {
	seg := s.active
	if err := seg.file.Truncate(seg.size.Load()); err != nil {
		return s.fail("cut a failed write off "+seg.name(), errors.Join(err, cause))
	}
	if err := seg.file.Sync(); err != nil {
		return s.fail("sync "+seg.name()+" after a failed write", errors.Join(err, cause))
	}
	s.log.Warn("the disk took no write", "file", seg.name(), "error", cause)
	return fmt.Errorf("%w: append to %s: %w", store.ErrFull, seg.name(), cause)
}

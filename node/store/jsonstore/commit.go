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

func (r *request) lines() int {
	return len(r.batch.Records) + len(r.batch.Drop) + len(r.batch.Slots) + len(r.repaired)
}

// drops reports whether the request has to begin a segment of its own: see drop in index.go.
func (r *request) drops() bool { return len(r.batch.Drop) > 0 }

// bytes is about what the request will take on disk.
func (r *request) bytes() int {
	n := 0
	for i := range r.batch.Records {
		n += 150 + len(r.batch.Records[i].Key) + len(r.batch.Records[i].Value)
	}
	for i := range r.batch.Slots {
		n += 100 + len(r.batch.Slots[i].State)
	}
	return n + 80*(len(r.repaired)+len(r.batch.Drop))
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

// take returns the oldest requests, at least one, up to a bound of bytes. One that drops slots comes alone.
func (q *queue) take() []*request {
	q.mu.Lock()
	defer q.mu.Unlock()
	n, bytes := 0, 0
	for n < len(q.waiting) && (n == 0 || !q.waiting[0].drops() && !q.waiting[n].drops() && bytes+q.waiting[n].bytes() <= maxGroupBytes) {
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
	for i := range b.Records {
		if n := len(b.Records[i].Key); n == 0 || n > maxKeyBytes {
			return fmt.Errorf("%w: a key of %d bytes; 1 to %d are possible", errBatch, n, maxKeyBytes)
		}
		if key := b.Records[i].Key; !s.index.takes(key) && !slices.Contains(b.Drop, hashring.SlotOf(key)) {
			return fmt.Errorf("%w: the slot of %q has %d keys and takes no more", store.ErrFull, b.Records[i].Key, crowdedEntries)
		}
	}
	slots := slices.Clone(b.Drop)
	for _, st := range b.Slots {
		slots = append(slots, st.Slot)
	}
	for _, slot := range slots {
		if slot < 0 || slot >= hashring.Slots {
			return fmt.Errorf("%w: slot %d; there are slots 0 to %d", errBatch, slot, hashring.Slots-1)
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
	case s.active.size.Load() >= s.options.SegmentBytes || group[0].drops():
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
	s.showLocked(all)
	if group[0].drops() {
		s.background.wake() // there is something to compact
	}
	clear(all) // it points to the callers' memory
	if cap(s.buf) > keepBufferBytes {
		s.buf, s.placed = nil, nil
	}
	s.options.At(PointSeen)
	return nil
}

// showLocked lets readers see what has become durable. Drops come last here, so that a record that was stored again is never missing meanwhile.
func (s *Store) showLocked(all []placed) {
	newest := s.MaxVersion()
	for i := range all {
		if all[i].kind != kindDropped {
			s.index.put(&all[i].line, all[i].spot)
		}
		if v := all[i].newest(); v.After(newest) {
			newest = v
		}
	}
	for i := 0; i < len(all) && all[i].kind == kindDropped; i++ {
		s.index.put(&all[i].line, all[i].spot)
	}
	s.observe(newest)
}

// A placed line is one that is about to be written, and where it will lie.
type placed struct {
	line
	spot
}

// encodeLocked fills buf with the lines of a group. States come after records, so that a state never outlives the
// records that it came with. Drops come
// first: what may be lost before them is of no account.
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
	for _, slot := range group[0].batch.Drop {
		add(line{kind: kindDropped, slot: slot})
	}
	for _, r := range group {
		for i := range r.batch.Records {
			l := recordLine(r.batch.Records[i], place{})
			l.first = s.firstLocked()
			add(l)
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

// firstLocked is where the lines begin of a key that the index doesn't know yet: here. But what can't be read any more may have been what kept an older line of
// it from counting.
func (s *Store) firstLocked() uint32 {
	if s.lost {
		return 1
	}
	return uint32(s.active.number)
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

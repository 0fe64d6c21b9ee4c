package jsonstore

import (
	"context"
	"errors"
	"fmt"

	"ringkv/node/store"
)

// Compact implements store.Store. It also writes the hint files that are missing.
func (s *Store) Compact(ctx context.Context) error {
	s.maintenance.Lock()
	defer s.maintenance.Unlock()
	for _, seg := range s.sealed() {
		seg.stuck.Store(false) // what was damaged may have been replaced
	}
	for {
		if err := s.mayWork(ctx); err != nil {
			return err
		}
		run := s.worthwhile()
		if run == nil {
			return s.writeHints(ctx, s.sealed())
		}
		if err := s.compactRun(ctx, run); err != nil {
			return fmt.Errorf("compact %s to %s: %w", run[0].name(), run[len(run)-1].name(), err)
		}
	}
}

func (s *Store) mayWork(ctx context.Context) error {
	if s.closed.Load() {
		return store.ErrClosed
	}
	if err := s.Failed(); err != nil {
		return err
	}
	return ctx.Err()
}

// sealed returns the segments that nothing is written to any more, in order.
func (s *Store) sealed() []*segment {
	all := s.segments.list()
	return all[:len(all)-1]
}

// worthwhile returns segments that lie side by side of which at least half is garbage, or of which there are many small
// ones; nil when there are none. Together they fit in one segment afterwards.
//
// Segments of which an unknown line was lost stay as they are while a slot is in doubt, and stand between the others: what lies before the lost line
// must not come to lie after it.
func (s *Store) worthwhile() []*segment {
	doubt := s.index.doubtful() > 0
	segs := s.sealed()
	w := wear{s.options.SegmentBytes, s.index.loose(segs)}
	var run []*segment
	for _, seg := range segs {
		fits := w.live(append(run, seg)...) <= w.segmentBytes
		if w.worn(seg) && fits && !seg.stuck.Load() && !(seg.lost && doubt) {
			run = append(run, seg)
			continue
		}
		if w.enough(run) {
			return run
		}
		run = nil
		if w.worn(seg) && !fits {
			run = append(run, seg)
		}
	}
	if w.enough(run) {
		return run
	}
	return nil
}

// A wear judges how much of segments is garbage.
type wear struct {
	segmentBytes int64
	loose        map[uint32]int64 // of what counts as live, what needn't be copied
}

// worn reports whether half of the segment is garbage, or it is small.
func (w *wear) worn(seg *segment) bool {
	return w.live(seg) <= seg.size.Load()/2 || seg.size.Load() <= w.segmentBytes/8
}

const smallRun = 4

func (w *wear) enough(run []*segment) bool {
	var size int64
	for _, seg := range run {
		size += seg.size.Load()
	}
	overhead := int64(len(run)) * headerLimit // headers and seals aren't live, and can't be saved
	return len(run) >= smallRun || size > overhead && w.live(run...) <= size/2
}

func (w *wear) live(run ...*segment) (n int64) {
	for _, seg := range run {
		n += seg.live.Load() - w.loose[seg.id]
	}
	return n
}

// compactRun replaces the segments of run by one that holds what is live of them.
func (s *Store) compactRun(ctx context.Context, run []*segment) error {
	c, err := s.newCopier(run)
	if err != nil {
		return err
	}
	if err := c.copyAll(ctx); err != nil {
		err = errors.Join(err, s.discard(c.out, c.temp))
		if errors.Is(err, errStuck) {
			s.log.Error("a damaged record keeps a segment from being compacted until it is replaced", "error", err)
			return nil
		}
		return err
	}
	s.options.At(PointCompactCopied)
	if err := s.disk.Rename(c.temp, c.out.name()); err != nil {
		return errors.Join(err, s.discard(c.out, c.temp))
	}
	if err := s.disk.SyncDir(); err != nil {
		return errors.Join(s.fail("sync the directory", err), c.out.file.Close())
	}
	s.options.At(PointCompactNamed)
	s.segments.add(c.out)
	s.index.clean(run)
	for _, m := range c.moved {
		m.to.seg = c.out.id
		s.index.move(m, uint32(c.out.number))
	}
	s.index.leave(run)
	s.segments.swap(run, c.out)
	s.options.At(PointCompactSwung)
	if err := s.removeOld(run, c.out); err != nil {
		return fmt.Errorf("remove what was compacted: %w", err)
	}
	s.options.At(PointCompactDone)
	return nil
}

// removeOld closes the files of run and removes them, but for the name that the new one has taken.
func (s *Store) removeOld(run []*segment, out *segment) error {
	var errs []error
	for _, seg := range run {
		errs = append(errs, seg.file.Close())
		if seg.number != out.number {
			errs = append(errs, s.disk.Remove(seg.name()))
		}
		if seg.hinted > 0 {
			errs = append(errs, s.disk.Remove(hintName(seg.number)))
		}
	}
	return errors.Join(errs...)
}

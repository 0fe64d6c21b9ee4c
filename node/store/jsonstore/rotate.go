package jsonstore

import (
	"errors"
	"fmt"
	"io/fs"

	"ringkv/node/record"
	"ringkv/node/store"
	"ringkv/node/store/disk"
)

// rotateLocked seals the active segment and begins the next one. The next is durable, name included, before the seal is written, and
// the seal before the next gets a record: so a seal without a successor means that a file is missing.
func (s *Store) rotateLocked() error {
	full := s.active
	next, err := s.createSegment(segmentName(full.number+1), full.number+1, full.number+1, false, s.MaxVersion())
	if err != nil {
		return s.refuse(err)
	}
	if err := s.disk.SyncDir(); err != nil {
		return errors.Join(s.fail("sync the directory", err), next.file.Close())
	}
	s.options.At(PointRotateCreated)
	seal, err := jsonLine(newSeal(full.lines, s.MaxVersion()))
	if err != nil {
		return errors.Join(err, s.discard(next, next.name()))
	}
	lines, write := full.lines, full.write
	if err := s.appendLocked(seal, 0); err != nil {
		if s.Failed() != nil { // the seal may be there, and says that the next segment is
			return errors.Join(err, next.file.Close())
		}
		return errors.Join(err, s.discard(next, next.name()))
	}
	full.lines, full.write, full.sealed = lines, write, true
	s.options.At(PointRotateSealed)
	s.segments.add(next)
	s.segments.swap(nil, next)
	s.active = next
	s.background.wake()
	return nil
}

// refuse is what Apply returns when a file that it needs can't be made.
func (s *Store) refuse(err error) error {
	if sync := (*disk.SyncError)(nil); errors.As(err, &sync) {
		return s.fail("begin a segment", err)
	}
	s.log.Warn("the disk made no new segment", "error", err)
	return fmt.Errorf("%w: %w", store.ErrFull, err)
}

// createSegment makes a file with a header, and syncs it. What it leaves behind when it fails, it removes.
func (s *Store) createSegment(name string, number, from int, compacted bool, newest record.Version) (*segment, error) {
	h := newHeader(&s.options, number, from, compacted, newest)
	b, err := jsonLine(h)
	if err != nil {
		return nil, err
	}
	if err := s.disk.Remove(name); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("make %s: %w", name, err)
	}
	f, err := s.disk.Create(name)
	if err != nil {
		return nil, fmt.Errorf("make %s: %w", name, err)
	}
	seg := &segment{number: number, from: from, ident: h.ID, compacted: compacted, file: f}
	if _, err := f.WriteAt(b, 0); err != nil {
		return nil, errors.Join(fmt.Errorf("make %s: %w", name, err), s.discard(seg, name))
	}
	if err := f.Sync(); err != nil {
		return nil, errors.Join(fmt.Errorf("make %s: %w", name, &disk.SyncError{Err: err}), s.discard(seg, name))
	}
	seg.size.Store(int64(len(b)))
	return seg, nil
}

// discard closes and removes a file that no index points to.
func (s *Store) discard(seg *segment, name string) error {
	return errors.Join(seg.file.Close(), s.disk.Remove(name))
}

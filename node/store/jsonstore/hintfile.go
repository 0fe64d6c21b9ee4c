package jsonstore

import (
	"context"
	"errors"
	"io/fs"

	"ringkv/node/store/disk"
)

// writeHints writes the hints that are missing. Whoever calls it holds maintenance, and commit if the active segment is among them.
// A hint that can't be written only makes the next Open slower, unless it was a sync that failed.
func (s *Store) writeHints(ctx context.Context, segs []*segment) error {
	for _, seg := range segs {
		if s.Failed() != nil || ctx.Err() != nil {
			return ctx.Err()
		}
		if seg.damaged || seg.ident == "" || seg.hinted == seg.size.Load() {
			continue
		}
		err := s.writeHint(seg)
		if sync := (*disk.SyncError)(nil); errors.As(err, &sync) {
			return s.fail("write a hint file", err)
		}
		if err != nil {
			s.log.Warn("a hint file can't be written: the next start will be slower", "file", hintName(seg.number), "error", err)
			continue
		}
		s.options.At(PointHintWritten)
	}
	return nil
}

func (s *Store) writeHint(seg *segment) error {
	h := &hint{ident: seg.ident, size: seg.size.Load(), write: seg.write, lines: seg.lines, newest: s.MaxVersion()}
	h.sealed = seg.sealed
	s.index.list(seg.id, h)
	err := disk.WriteFile(s.disk, hintName(seg.number), h.encode())
	if err != nil {
		return err
	}
	seg.hinted = h.size
	return nil
}

// list adds what lies in the segment to its hint.
func (x *index) list(seg uint32, h *hint) {
	for slot := range x.tables {
		t := &x.tables[slot]
		t.mu.RLock()
		for i := range t.entries {
			if e := t.entries[i]; e.seg == seg {
				h.addRecord(e, t.keyOf(i))
			}
		}
		if t.stateSpot.seg == seg {
			h.addSlot(kindState, slot, t.stateSpot, t.state)
		}
		if t.repaired.seg == seg {
			h.addSlot(kindRepaired, slot, t.repaired, nil)
		}
		if t.dropped.seg == seg {
			h.addSlot(kindDropped, slot, t.dropped, nil)
		}
		t.mu.RUnlock()
	}
}

// loadHint returns the hint of a segment, nil when there is none that can be used. Any error but that is the disk's.
func (s *Store) loadHint(seg *segment) (*hint, error) {
	name := hintName(seg.number)
	b, err := disk.ReadFile(s.disk, name, hintLimit)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	h, err := decodeHint(b)
	if err == nil {
		err = h.each(func(*line, uint32, uint32) {})
	}
	switch {
	case err != nil:
		s.log.Warn("a hint file can't be used and is made again", "file", name)
		return nil, nil
	case h.ident != seg.ident:
		return nil, nil // of a segment that was compacted
	}
	return h, nil
}

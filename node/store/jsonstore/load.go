package jsonstore

import (
	"errors"
	"fmt"
	"io"
	"math"

	"ringkv/node/store/disk"
)

// loadAll reads the segments into the index, in order.
func (s *Store) loadAll(files []*file) error {
	unlisted := math.MaxInt
	for i, f := range files {
		s.segments.add(f.segment)
		s.segments.swap(nil, f.segment)
		l := &loader{s: s, f: f, last: i == len(files)-1, unlisted: unlisted}
		l.alone = i == len(files)-2 && files[i+1].empty()
		if err := l.load(); err != nil {
			for _, rest := range files[i+1:] {
				err = errors.Join(err, rest.file.Close())
			}
			return fmt.Errorf("load %s: %w", f.name(), err)
		}
		s.active, unlisted = f.segment, l.unlisted
		s.lost = s.lost || f.lost
	}
	return nil
}

// A loader reads one segment into the index.
type loader struct {
	s      *Store
	f      *file
	last   bool
	alone  bool // the next segment has no lines yet, so it doesn't prove that the seal is durable
	judge  judge
	seal   *seal
	sealAt int64
	bad    []stretch

	unlisted int   // the first segment with lines that its hint left out: a key whose line is found later may have one there
	lost     int64 // where the last damage is of which it isn't known what it was about, -1 for none
}

func (l *loader) load() error {
	l.lost = -1
	l.judge = judge{emit: l.emit, next: 1, good: l.f.body, start: l.f.body}
	from, err := l.useHint()
	if err != nil {
		return err
	}
	if err := l.scan(from); err != nil {
		return err
	}
	if l.last {
		err = l.finishLast(from)
	} else {
		err = l.finishSealed(from)
	}
	if l.lost >= 0 {
		l.f.lost = true
		l.s.index.doubtBefore(spot{seg: l.f.id, off: uint32(l.lost)})
	}
	l.s.quarantine(l.f.segment, l.bad)
	return err
}

// useHint loads the part of the segment that its hint lists, and returns where the rest begins.
func (l *loader) useHint() (int64, error) {
	f := l.f
	if !f.known {
		return f.body, nil
	}
	h, err := l.s.loadHint(f.segment)
	if err != nil || h == nil {
		return f.body, err
	}
	if h.size > f.bytes {
		return 0, fmt.Errorf("%w (it has been %d bytes long and is now %d)", ErrMissing, h.size, f.bytes)
	}
	if h.sealed && l.last {
		return 0, fmt.Errorf("%w (there is no %s)", ErrMissing, segmentName(f.number+1))
	}
	listed := uint64(0)
	err = h.each(func(ln *line, off, size uint32) {
		listed++
		l.s.index.put(ln, spot{f.id, off, size})
	})
	if err != nil {
		return 0, err
	}
	if listed < h.lines {
		l.unlisted = min(l.unlisted, f.number)
	}
	l.s.observe(h.newest)
	f.lines, f.write, f.hinted, f.segment.sealed = h.lines, h.write, h.size, h.sealed
	l.judge.write, l.judge.last, l.judge.good, l.judge.start = h.write, h.write, h.size, h.size
	return h.size, nil
}

// scan reads the lines from an offset on.
func (l *loader) scan(from int64) error {
	in := newLines(l.f.file, from, l.f.bytes)
	grouped := l.last || l.f.known && !l.f.compacted
	for {
		raw, off, err := in.next()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
		p := piece{line: in.decode(raw), off: off, size: len(raw)}
		if n := in.lineEnd(raw, &p.line); n > 0 {
			l.take(piece{line: in.decodeDamaged(raw[:n]), off: off, size: n}, grouped)
			raw, off = raw[n:], off+int64(n)
			p = piece{line: in.decode(raw), off: off, size: len(raw)}
		}
		l.take(p, grouped)
	}
}

// take takes a piece that was scanned.
func (l *loader) take(p piece, grouped bool) {
	switch {
	case p.kind == kindSealed && p.ok && p.end() == l.f.bytes:
		seal := p.seal
		l.seal, l.sealAt = &seal, p.off
	case p.kind == kindSealed:
		p.line = line{}
		fallthrough
	case grouped:
		l.judge.feed(p)
	default:
		if p.headOK && l.f.compacted && l.s.index.lies(&p.line, l.f.id) {
			p.line = line{} // a compacted segment has one line of each key: this one is here twice, perhaps in the place of another
		}
		l.emit(p)
	}
}

// emit takes a piece that counts.
func (l *loader) emit(p piece) {
	if p.size > 0 && p.off > 0 { // at 0 it is the header, damaged
		l.f.lines++
	}
	if p.headOK {
		l.s.observe(p.newest())
		p.first = uint32(min(l.f.number, l.unlisted))
		l.s.index.put(&p.line, spot{l.f.id, uint32(p.off), uint32(p.size)})
	}
	if p.ok {
		return
	}
	l.f.damaged = true
	l.s.damaged.Add(1)
	if !p.headOK {
		l.lost = p.off
	}
	l.bad = addStretch(l.bad, p.off, p.end())
}

// finishSealed ends a segment that was full: every byte of it was durable.
func (l *loader) finishSealed(from int64) error {
	f := l.f
	l.judge.finish()
	f.size.Store(f.bytes)
	f.write = l.judge.last
	if f.segment.sealed && from == f.bytes {
		return nil // the hint has vouched for all of it
	}
	f.segment.sealed = true
	if l.seal == nil && l.lost < 0 || l.seal != nil && l.seal.Lines > f.lines { // lines are missing without a trace
		l.emit(piece{off: f.bytes})
	}
	if l.seal != nil {
		v, _ := parseVersion([]byte(l.seal.MaxVersion))
		l.s.observe(v)
	}
	if l.alone && l.seal != nil {
		return l.rewrite(l.sealAt, f.bytes)
	}
	return nil
}

// finishLast ends the segment that will be written to. A torn end is cut off.
func (l *loader) finishLast(from int64) error {
	f, good := l.f, l.judge.good
	f.size.Store(good)
	f.write = l.judge.last
	if good < f.bytes {
		l.s.log.Warn("the last write before a crash was torn and is cut off", "file", f.name(), "offset", good, "bytes", f.bytes-good)
		if err := f.file.Truncate(good); err != nil {
			return fmt.Errorf("cut off what was torn: %w", err)
		}
		if err := f.file.Sync(); err != nil {
			return fmt.Errorf("sync: %w", err)
		}
		l.s.options.At(PointRecoverCut)
		return nil
	}
	start := max(l.judge.start, from)
	if f.known && start == f.body { // the header may not have come to the disk either, if the process was killed when it made its first segment
		start = 0
	}
	return l.rewrite(start, good)
}

// rewrite writes the last write once more. If its sync had failed, the kernel may show bytes that never came to the
// disk, count them as written, and let a later sync succeed without them.
func (l *loader) rewrite(from, to int64) error {
	if from >= to {
		return nil
	}
	b := make([]byte, to-from)
	if err := disk.ReadFull(l.f.file, b, from); err != nil {
		return err
	}
	if _, err := l.f.file.WriteAt(b, from); err != nil {
		return fmt.Errorf("write the last write again: %w", err)
	}
	if err := l.f.file.Sync(); err != nil {
		return fmt.Errorf("sync: %w", err)
	}
	return nil
}

package jsonstore

import (
	"context"
	"errors"
	"fmt"
	"io"

	"golang.org/x/time/rate"

	"ringkv/node/store"
	"ringkv/node/store/disk"
)

const (
	paceStep  = 64 << 10  // read between waits
	copyChunk = 256 << 10 // written at a time
	copySync  = 1 << 20   // synced at a time, so that no large flush is in the way of a writer's sync
)

// errStuck is returned when a line that is needed can't be copied because it is damaged.
var errStuck = errors.New("a record is damaged")

// A copier copies the live lines of some segments, as they are, to a new one.
type copier struct {
	s      *Store
	run    []*segment
	out    *segment
	temp   string
	buf    []byte
	synced int64
	moved  []move
	read   int // since the last wait
	pace   *rate.Limiter
}

// A move tells that the newest line of something lies elsewhere. The line was copied when it lay at from.
type move struct {
	slot     uint16
	what     int32 // the index of a key in the slot's table, or one of the following
	from, to spot
}

const (
	moveState    = -1
	moveRepaired = -2
	moveDropped  = -3
)

func (s *Store) newCopier(run []*segment) (*copier, error) {
	first, last := run[0], run[len(run)-1]
	temp := last.name() + disk.TempSuffix
	out, err := s.createSegment(temp, last.number, first.from, true, s.MaxVersion())
	if err != nil {
		return nil, s.refuse(err)
	}
	out.sealed = true
	pace := rate.NewLimiter(rate.Limit(s.options.CompactRate), paceStep)
	return &copier{s: s, run: run, out: out, temp: temp, pace: pace}, nil
}

func (c *copier) copyAll(ctx context.Context) error {
	for _, seg := range c.run {
		if err := c.copySegment(ctx, seg); err != nil {
			return err
		}
	}
	seal, err := jsonLine(newSeal(c.out.lines, c.s.MaxVersion()))
	if err != nil {
		return err
	}
	c.buf = append(c.buf, seal...)
	if err := c.flush(ctx); err != nil {
		return err
	}
	return c.sync()
}

func (c *copier) copySegment(ctx context.Context, seg *segment) error {
	in := newLines(seg.file, 0, seg.size.Load())
	for {
		raw, off, err := in.next()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return fmt.Errorf("read %s: %w", seg.name(), err)
		}
		if err := c.copyLine(seg, in.decode(raw), raw, off); err != nil {
			return err
		}
		if err := c.wait(ctx, len(raw)); err != nil {
			return err
		}
		if len(c.buf) >= copyChunk {
			if err := c.flush(ctx); err != nil {
				return err
			}
		}
	}
}

func (c *copier) copyLine(seg *segment, l line, raw []byte, off int64) error {
	switch {
	case l.kind == kindSealed || off == 0: // the seal, or the header
		return nil
	case !l.ok && c.s.index.flagDamage(seg.id, off, off+int64(len(raw))):
		seg.stuck.Store(true)
		return fmt.Errorf("%w: %s at byte %d", errStuck, seg.name(), off)
	case !l.ok: // damage that nothing depends on
		return nil
	}
	from := spot{seg.id, uint32(off), uint32(len(raw))}
	m, live := c.s.index.locate(&l, from, c.run[0].from)
	if !live {
		return nil
	}
	m.to = spot{0, uint32(c.out.size.Load()) + uint32(len(c.buf)), from.size}
	c.moved = append(c.moved, m)
	c.buf = append(c.buf, raw...)
	c.out.lines++
	return nil
}

// wait keeps to the pace, for the sake of those who write meanwhile, unless there is so much garbage that they have to wait for room.
func (c *copier) wait(ctx context.Context, read int) error {
	for c.read += read; c.read >= paceStep; c.read -= paceStep {
		if c.s.behind() {
			c.read = 0
			return ctx.Err()
		}
		if err := c.pace.WaitN(ctx, paceStep); err != nil {
			return err
		}
	}
	return nil
}

// behind reports whether the disk holds more than its share of garbage.
func (s *Store) behind() bool {
	st := s.bytes()
	return st.DiskBytes > st.LiveBytes*5/2+4*s.options.SegmentBytes
}

// flush writes what was gathered.
func (c *copier) flush(ctx context.Context) error {
	if err := c.s.mayWork(ctx); err != nil {
		return err
	}
	at := c.out.size.Load()
	if _, err := c.out.file.WriteAt(c.buf, at); err != nil {
		return fmt.Errorf("%w: %w", store.ErrFull, err)
	}
	c.out.size.Store(at + int64(len(c.buf)))
	c.buf = c.buf[:0]
	if c.out.size.Load()-c.synced >= copySync {
		return c.sync()
	}
	return nil
}

func (c *copier) sync() error {
	if err := c.out.file.Sync(); err != nil {
		return c.s.fail("sync "+c.temp, err)
	}
	c.synced = c.out.size.Load()
	return nil
}

// locate tells whether l, which lies at s, is needed when the segments from `oldest` on are compacted, and where the index has it: whether it is the newest
// line of its key or slot. What keeps older lines from counting, a drop or a forgotten tombstone, isn't needed any more where none is left in an earlier
// segment.
func (x *index) locate(l *line, s spot, oldest int) (move, bool) {
	m := move{slot: uint16(l.slot), from: s}
	t := &x.tables[l.slot]
	if l.kind == kindRecord {
		m.slot = uint16(x.slot(l.key))
		t = &x.tables[m.slot]
	}
	t.mu.RLock()
	defer t.mu.RUnlock()
	switch l.kind {
	case kindState:
		m.what = moveState
		return m, t.stateSpot == s
	case kindRepaired:
		m.what = moveRepaired
		return m, t.repaired == s
	case kindDropped:
		m.what = moveDropped
		return m, t.dropped == s && oldest > 1
	}
	i := t.findLocked(x.seed, l.key)
	m.what = int32(i)
	if i < 0 || t.entries[i].spot != s {
		return m, false
	}
	return m, t.entries[i].flags&flagForgotten == 0 || t.entries[i].first < uint32(oldest)
}

// move lets the index point to where a line was copied, in the segment of that number, unless a newer one has come meanwhile.
func (x *index) move(m move, number uint32) {
	t := &x.tables[m.slot]
	t.mu.Lock()
	var at *spot
	var e *entry
	switch {
	case m.what == moveState:
		at = &t.stateSpot
	case m.what == moveRepaired:
		at = &t.repaired
	case m.what == moveDropped:
		at = &t.dropped
	case int(m.what) < len(t.entries):
		e = &t.entries[m.what]
		at = &e.spot
	default: // the slot was dropped meanwhile
		at = &spot{}
	}
	moved := *at == m.from
	if moved {
		*at = m.to
	} else if e != nil {
		e.first = min(e.first, number) // the copy is of an older line
	}
	t.mu.Unlock()
	if moved {
		x.live(m.to.seg, int64(m.to.size))
		x.live(m.from.seg, -int64(m.from.size))
	}
}

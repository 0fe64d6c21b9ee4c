package record

import (
	"sync"
	"time"
)

// A Clock stamps versions, no two of them alike. Each is later than every one it handed out before, unless the wall
// clock had run ahead by more than the allowed skew and was set right: then it begins again at the wall, under another name, since nodes would
// refuse all that it stamps until the wall has caught up. It is safe for concurrent use.
type Clock struct {
	now  func() time.Time
	skew uint64 // as part of an HLC

	mu   sync.Mutex // guards what follows
	near series
	far  series // of successors of versions that lie too far ahead
}

// NewClock returns a clock that reads the wall from now. writer must be random and of this process alone. maxSkew is how
// far ahead of the wall a version seen elsewhere may be and still push this clock forward: one runaway clock must
// not drag the others along.
func NewClock(now func() time.Time, writer uint64, maxSkew time.Duration) *Clock {
	return &Clock{now: now, skew: hlcOf(maxSkew), near: series{writer: writer}, far: series{writer: ^writer}}
}

// Next returns a version after `after` and after every version this clock has returned.
//
// A key whose newest version lies further ahead than the allowed skew must stay writable, so it gets its successor, but
// such versions are counted apart and leave the clock of all other keys alone. They are in order only where the keys that they follow lie
// no further apart than the allowed skew: nodes take none that lies further ahead than that of what it follows.
func (c *Clock) Next(after Version) Version {
	wall := hlc(c.now())
	c.mu.Lock()
	defer c.mu.Unlock()
	s := &c.near
	if after.HLC > wall+c.skew {
		s = &c.far // under another name: the near one reaches the same numbers one day
	}
	return s.next(max(wall, after.HLC+1), max(wall, after.HLC)+c.skew)
}

// Observe pushes the clock to v, so that what is stamped next is later, unless v lies too far ahead.
func (c *Clock) Observe(v Version) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if v.HLC > c.near.last && v.HLC <= hlc(c.now())+c.skew { // most are older: that costs no look at the wall
		c.near.last = v.HLC
	}
}

// A series is versions in order, until it begins again under another name.
type series struct{ last, writer uint64 }

// next returns the next version, from `from` on. Where that would lie beyond limit, the series begins again.
func (s *series) next(from, limit uint64) Version {
	if s.last >= limit {
		s.last, s.writer = 0, renamed(s.writer)
	}
	s.last = max(s.last+1, from)
	return Version{s.last, s.writer}
}

// renamed returns the name that a writer takes when it begins again: as random as the first one (the finalizer of SplitMix64).
func renamed(writer uint64) uint64 {
	z := writer + 0x9e3779b97f4a7c15
	z = (z ^ z>>30) * 0xbf58476d1ce4e5b9
	z = (z ^ z>>27) * 0x94d049bb133111eb
	return z ^ z>>31
}

// TooFarAhead reports whether v lies more than maxSkew ahead of both now and base. base is the version that v was made
// to follow, if any: a successor of what is stored already is never too far.
func TooFarAhead(v, base Version, now time.Time, maxSkew time.Duration) bool {
	limit := max(hlc(now), base.HLC) + hlcOf(maxSkew)
	return v.HLC > limit
}

func hlc(t time.Time) uint64 { return uint64(max(t.UnixMilli(), 0)) << counterBits }

func hlcOf(d time.Duration) uint64 { return uint64(d.Milliseconds()) << counterBits }

package record

import (
	"sync"
	"time"
)

// A Clock stamps versions, no two of them alike. Each is later than every one it handed out before, unless the wall
// clock had run ahead by more than the allowed skew and was set right: then it begins again at the wall, under another name, since nodes would
// refuse all that it stamps until the wall has caught up. It is safe for concurrent use.
type Clock struct {
	now     func() time.Time
	maxSkew time.Duration

	mu     sync.Mutex // guards what follows
	writer uint64
	last   uint64
	far    uint64
}

// NewClock returns a clock that reads the wall from now. writer must be random and of this process alone. maxSkew is how
// far ahead of the wall a version seen elsewhere may be and still push this clock forward: one runaway clock must
// not drag the others along.
func NewClock(now func() time.Time, writer uint64, maxSkew time.Duration) *Clock {
	return &Clock{now: now, writer: writer, maxSkew: maxSkew}
}

// Next returns a version after `after` and after every version this clock has returned.
//
// A key whose newest version lies further ahead than the allowed skew must stay writable, so it gets its successor, but
// such versions are counted apart and leave the clock of all other keys alone.
func (c *Clock) Next(after Version) Version {
	wall := hlc(c.now())
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.tooFar(Version{HLC: c.last}, wall) {
		c.last, c.writer = wall, renamed(c.writer)
	}
	if !c.tooFar(after, wall) {
		c.last = max(c.last+1, wall, after.HLC+1)
		return Version{c.last, c.writer}
	}
	c.far = max(c.far, after.HLC, c.last) + 1
	return Version{c.far, ^c.writer} // under another name: c.last reaches the same numbers one day
}

// Observe pushes the clock to v, so that what is stamped next is later, unless v lies too far ahead.
func (c *Clock) Observe(v Version) {
	wall := hlc(c.now())
	c.mu.Lock()
	defer c.mu.Unlock()
	if !c.tooFar(v, wall) {
		c.last = max(c.last, v.HLC)
	}
}

// renamed returns the name that a writer takes when it begins again: as random as the first one (the finalizer of SplitMix64).
func renamed(writer uint64) uint64 {
	z := writer + 0x9e3779b97f4a7c15
	z = (z ^ z>>30) * 0xbf58476d1ce4e5b9
	z = (z ^ z>>27) * 0x94d049bb133111eb
	return z ^ z>>31
}

func (c *Clock) tooFar(v Version, wall uint64) bool {
	return v.HLC > wall+uint64(c.maxSkew.Milliseconds())<<counterBits
}

// TooFarAhead reports whether v lies more than maxSkew ahead of both now and base. base is the version that v was made
// to follow, if any: a successor of what is stored already is never too far.
func TooFarAhead(v, base Version, now time.Time, maxSkew time.Duration) bool {
	limit := max(hlc(now), base.HLC) + uint64(maxSkew.Milliseconds())<<counterBits
	return v.HLC > limit
}

func hlc(t time.Time) uint64 { return uint64(max(t.UnixMilli(), 0)) << counterBits }

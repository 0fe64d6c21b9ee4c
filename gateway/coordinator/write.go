package coordinator

import (
	"context"
	"time"

	"ringkv/node/record"
	"ringkv/node/wire"
)

// Put stores value under key and returns its version once W owners hold it durably. value must not be changed afterwards. Errors are
// *Error; without None the write may have happened, or may still.
//
// It takes one round trip where all owners are there and nothing newer is.
func (c *Coordinator) Put(ctx context.Context, key string, value []byte, contentType string) (record.Version, error) {
	o, err := c.begin(ctx, key)
	if err != nil {
		return record.Version{}, err
	}
	rec := record.Record{Key: key, Type: contentType, Value: value}
	if o.calm() {
		c.opt.Metrics.wroteFast()
		return o.write(o.stamped(rec, record.Version{}, false))
	}
	c.opt.Metrics.wroteCarefully()
	before, err := o.query()
	if err != nil {
		return record.Version{}, err
	}
	return o.write(o.stamped(rec, before.above, true))
}

// Delete removes key and returns the tombstone's version once W owners hold it durably; deleted says whether it found a value. Where there is none it writes
// nothing: so it always asks first. Errors as for Put.
func (c *Coordinator) Delete(ctx context.Context, key string) (v record.Version, deleted bool, err error) {
	o, err := c.begin(ctx, key)
	if err != nil {
		return record.Version{}, false, err
	}
	before, err := o.query()
	if err != nil {
		return record.Version{}, false, err
	}
	if !before.record.Exists() && (before.virtual || len(before.holders) >= o.w) {
		return before.record.Version, false, nil
	}
	v, err = o.write(o.stamped(record.Record{Key: key, Deleted: true}, before.above, true))
	return v, before.record.Exists() && err == nil, err
}

// query asks which versions the owners hold: enough of them to meet every acknowledged write and every read that may have
// returned one.
func (o *operation) query() (found, error) {
	return o.ask(o.enough, noValues)
}

// enough is how many owners a write asks before it is stamped.
func (o *operation) enough() int { return max(o.r, everyMajority(len(o.owners))) }

// write stores s.rec. Its version stays the same over all tries, so that however often a copy arrives, the write takes effect once. It
// gets a new one only if it was beaten, and is known to be without effect for good: every copy that was ever sent is refused, or nobody has seen those that
// are not, or ever will.
func (o *operation) write(s *storing) (record.Version, error) {
	defer o.c.opt.Metrics.wrote(time.Now())
	for {
		v, err := s.rec.Version, s.once()
		if err == errBeaten {
			if v, err = s.fate(); err == errUnseen {
				var next *storing
				if next, err = s.anew(); err == nil {
					s = next
					continue
				}
			}
		}
		switch err {
		case nil:
			return v, nil
		case errAgain:
			continue
		case errTimeUp:
			return record.Version{}, s.outcome()
		default:
			return record.Version{}, s.inDoubt(err)
		}
	}
}

// stamped is a plain write of rec under a new version, later than `before`. queried says that enough owners have told, since the operation began, what
// that must be.
func (o *operation) stamped(rec record.Record, before record.Version, queried bool) *storing {
	rec.Version = o.c.clock.Next(before)
	return &storing{o: o, op: wire.OpWrite, rec: rec, base: before, queried: queried}
}

// anew is the next attempt of a write that has come to nothing, above all that stood in its way. Those that refused it have told what they hold, so that they
// were the query if they are enough. Only a ballot can beat it then, and whoever prepared that is given a little time.
func (s *storing) anew() (*storing, error) {
	o := s.o
	before := later(s.base, s.above)
	switch {
	case s.queried:
		if err := o.retry(); err != errAgain {
			return nil, err
		}
	case time.Until(o.deadline) < o.c.opt.HedgeAfter: // as in retry
		return nil, errTimeUp
	case len(s.beaten) < o.enough():
		f, err := o.query()
		if err != nil {
			return nil, err
		}
		before = later(before, f.above)
	}
	o.c.opt.Metrics.wroteAnew()
	next := o.stamped(s.rec, before, true)
	next.earlier = !s.nowhere()
	return next, nil
}

package coordinator

import (
	"context"
	"errors"
	"time"

	"ringkv/node/record"
	"ringkv/node/wire"
)

// Put stores value under key and returns its version once W owners hold it durably. value must not be changed afterwards. Errors are
// *Error; without None the write may have happened, or may still.
func (c *Coordinator) Put(ctx context.Context, key string, value []byte, contentType string) (record.Version, error) {
	o, err := c.begin(ctx, key)
	if err != nil {
		return record.Version{}, err
	}
	answers, err := o.query()
	if err != nil {
		return record.Version{}, err
	}
	return o.write(record.Record{Key: key, Type: contentType, Value: value}, newest(answers).above)
}

// Delete removes key and returns the tombstone's version once W owners hold it durably; deleted says whether it found a value. Where there is none it writes
// nothing. Errors as for Put.
func (c *Coordinator) Delete(ctx context.Context, key string) (v record.Version, deleted bool, err error) {
	o, err := c.begin(ctx, key)
	if err != nil {
		return record.Version{}, false, err
	}
	answers, err := o.query()
	if err != nil {
		return record.Version{}, false, err
	}
	before := newest(answers)
	if !before.record.Exists() && (before.virtual || len(before.holders) >= o.w) {
		return before.record.Version, false, nil
	}
	v, err = o.write(record.Record{Key: key, Deleted: true}, before.above)
	return v, before.record.Exists() && err == nil, err
}

// query asks which versions the owners hold: enough of them to meet every acknowledged write and every read that may have
// returned one.
func (o *operation) query() ([]answer, error) {
	return o.ask(func() int { return max(o.r, everyWrite(len(o.owners))) }, noValues)
}

// write stamps rec with a version later than `before` and stores it. The version stays the same over all tries, so
// that however often a copy arrives, the write takes effect once. It gets a new one only if it was beaten by a ballot, and every copy that was ever sent is
// known to be refused, so that none can take effect any more.
func (o *operation) write(rec record.Record, before record.Version) (record.Version, error) {
	defer o.c.opt.Metrics.wrote(time.Now())
	s := o.stamped(rec, before)
	for {
		err := s.once()
		if err == errBeaten && s.untouched() {
			if err = o.retry(); err == errAgain {
				s = o.stamped(rec, later(before, s.above))
			}
		}
		switch err {
		case nil:
			return s.rec.Version, nil
		case errAgain:
			continue
		case errTimeUp:
			return record.Version{}, s.outcome()
		case errBeaten:
			return s.resolve()
		default:
			return record.Version{}, s.inDoubt(err)
		}
	}
}

// stamped is a plain write of rec under a new version, later than `before`.
func (o *operation) stamped(rec record.Record, before record.Version) *storing {
	rec.Version = o.c.clock.Next(before)
	return &storing{o: o, op: wire.OpWrite, rec: rec, base: before, queried: true}
}

// untouched reports whether the record is nowhere, and can't get anywhere any more.
func (s *storing) untouched() bool { return s.stored == 0 && s.doubtful == 0 }

// resolve finds out what became of a record that may be stored at some owners while too many refused it. If the key is found to hold it, it has taken
// effect. If not, it may have done so before something else did.
func (s *storing) resolve() (record.Version, error) {
	rec, err := s.o.readByBallot()
	if err == nil && rec.Known() == s.rec.Version {
		return s.rec.Version, nil
	}
	return record.Version{}, s.o.failure(ErrOutcomeUnknown, false, s.stored, s.o.w, "are known to have stored it")
}

// outcome says honestly what is known of a write that W owners did not take.
func (s *storing) outcome() error {
	switch {
	case s.doubtful > 0:
		return s.o.failure(ErrOutcomeUnknown, false, s.stored, s.o.w, "are known to have stored it")
	case s.overloaded:
		return s.o.failure(ErrOverloaded, s.stored == 0, s.stored, s.o.w, "stored it")
	default:
		return s.o.failure(ErrQuorumUnavailable, s.stored == 0, s.stored, s.o.w, "stored it")
	}
}

// inDoubt keeps an error that arose between two tries from claiming that nothing was stored when something was.
func (s *storing) inDoubt(err error) error {
	var e *Error
	if errors.As(err, &e) {
		e.None = e.None && s.stored == 0 && s.doubtful == 0
	}
	return err
}

func isNotSent(err error) bool { return errors.Is(err, wire.ErrNotSent) }

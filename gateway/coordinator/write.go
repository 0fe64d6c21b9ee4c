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
	before, _ := newest(answers)
	return o.write(record.Record{Key: key, Type: contentType, Value: value}, before.record.Version)
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
	before, holders := newest(answers)
	if !before.record.Exists() && len(holders) >= o.w {
		return before.record.Version, false, nil
	}
	v, err = o.write(record.Record{Key: key, Deleted: true}, before.record.Version)
	return v, before.record.Exists() && err == nil, err
}

// query asks which versions the owners hold: enough of them to meet every acknowledged write and every read that may have
// returned one.
func (o *operation) query() ([]answer, error) {
	return o.ask(func() int { return max(o.r, everyWrite(len(o.owners))) }, noValues)
}

// write stamps rec with a version later than `before` and stores it. The version stays the same over all tries, so
// that however often a copy arrives, the write takes effect once.
func (o *operation) write(rec record.Record, before record.Version) (record.Version, error) {
	defer o.c.opt.Metrics.wrote(time.Now())
	rec.Version = o.c.clock.Next(before)
	s := &storing{o: o, op: wire.OpWrite, rec: rec, base: before}
	for {
		switch err := s.once(); err {
		case nil:
			return rec.Version, nil
		case errAgain:
			continue
		case errTimeUp:
			return record.Version{}, s.outcome()
		default:
			return record.Version{}, s.inDoubt(err)
		}
	}
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

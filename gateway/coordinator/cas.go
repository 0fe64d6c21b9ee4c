package coordinator

import (
	"context"
	"time"

	"ringkv/node/record"
)

// A Condition says whether a write may happen, given what is there: the record may not exist. It compares versions by Known, has no effects,
// and may be asked more than once.
type Condition func(present record.Record) bool

// PutIf is Put where the condition holds, and does nothing where it doesn't: check and write are one step. Errors as for Put, and ErrPreconditionFailed.
func (c *Coordinator) PutIf(ctx context.Context, key string, value []byte, contentType string, holds Condition) (record.Version, error) {
	o, err := c.begin(ctx, key)
	if err != nil {
		return record.Version{}, err
	}
	v, _, err := o.swap(record.Record{Type: contentType, Value: value}, holds)
	return v, err
}

// DeleteIf is to Delete as PutIf is to Put.
func (c *Coordinator) DeleteIf(ctx context.Context, key string, holds Condition) (v record.Version, deleted bool, err error) {
	o, err := c.begin(ctx, key)
	if err != nil {
		return record.Version{}, false, err
	}
	v, before, err := o.swap(record.Record{Deleted: true}, holds)
	return v, before.Exists() && err == nil, err
}

// swap stores rec in place of what is there, if the condition holds for that. It returns the version and what was there before.
//
// What is there is what a ballot finds. That the condition doesn't hold is said only once W owners have accepted what was found, under
// the ballot: else a later read could find what was there before. A value that was sent to anyone is tried under another
// ballot only if all copies of it are known to be refused.
func (o *operation) swap(rec record.Record, holds Condition) (v record.Version, before record.Record, err error) {
	defer o.c.opt.Metrics.wrote(time.Now())
	for {
		b, err := o.prepare()
		if err != nil {
			return v, before, err
		}
		if before = b.found.record; !holds(before) {
			if _, err = o.confirm(b); err == nil {
				err = preconditionFailed(before)
			}
		} else if rec.Deleted && !before.Exists() { // deleted as it is
			var same record.Record
			same, err = o.confirm(b)
			v = same.Version
		} else {
			v, err = o.accept(b, rec)
		}
		if err != errAgain {
			return v, before, err
		}
	}
}

func preconditionFailed(present record.Record) error {
	e := &Error{Err: ErrPreconditionFailed, None: true, Detail: "no value is stored under this key"}
	if present.Exists() {
		e.Present, e.Detail = present.Known(), "the condition doesn't hold for the value that is stored: see ETag for its version"
	}
	return e
}

// accept stores a new value under the ballot. errAgain: it is nowhere and can't get anywhere any more, so that another ballot may be
// tried.
func (o *operation) accept(b *ballot, rec record.Record) (record.Version, error) {
	s := o.accepting(b, rec)
	for {
		err := s.once()
		o.above = later(o.above, s.above)
		switch {
		case err == nil:
			return s.rec.Version, nil
		case err == errTimeUp:
			return record.Version{}, s.outcome()
		case isError(err):
			return record.Version{}, s.inDoubt(err)
		case s.untouched() && err == errBeaten:
			if s.moved != nil {
				err = o.follow(s.moved)
			} else {
				err = o.retry()
			}
			if err == errTimeUp {
				err = s.outcome()
			}
			return record.Version{}, err
		case s.untouched():
			return record.Version{}, errAgain
		case err == errBeaten || !b.config.Equal(o.config): // the ballot counts in its own config only
			return s.resolve()
		}
	}
}

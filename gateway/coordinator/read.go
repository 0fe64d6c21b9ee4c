package coordinator

import (
	"context"
	"errors"

	"ringkv/node/record"
	"ringkv/node/wire"
)

// ReadOptions say how a read may be answered.
type ReadOptions struct {
	// Stale accepts the answer of one owner, which may be older than what was acknowledged.
	Stale bool
}

// Get returns the record of key. Where there is none it returns one that doesn't exist: the zero Version if the key was
// never written, or the tombstone's.
//
// The record is the newest that was acknowledged when Get was called, or one that was under way: what Get returns, a
// write quorum holds, so that no later Get returns anything older. Errors are *Error.
func (c *Coordinator) Get(ctx context.Context, key string, opt ReadOptions) (record.Record, error) {
	o, err := c.begin(ctx, key)
	if err != nil {
		return record.Record{}, err
	}
	if opt.Stale {
		f, err := o.ask(func() int { return 1 }, allValues)
		return f.record, err
	}
	defer c.opt.Metrics.readTook(o.began)
	refused := 0
	for want := oneValue; ; want = allValues {
		rec, err := o.read(want)
		if err == errBeaten {
			if refused++; refused == 1 {
				err = o.retry()
			}
		}
		switch err {
		case errAgain:
		case errBeaten, errSoft:
			return o.readByBallot()
		case errTimeUp:
			return record.Record{}, o.failure(ErrQuorumUnavailable, true, 0, o.w, "hold the newest value")
		default:
			return rec, err
		}
	}
}

// errSoft says that the newest record lies at owners that haven't accepted it: they pulled it from owners of an earlier config, together with a
// ballot under which something else may have been accepted.
var errSoft = errors.New("what is held has not been accepted")

// read is one try. It asks at least W owners, since fewer could not show that W hold the same.
func (o *operation) read(v values) (record.Record, error) {
	best, err := o.ask(func() int { return max(o.r, o.w) }, v)
	if err != nil {
		return record.Record{}, err
	}
	o.c.clock.Observe(best.above)
	switch {
	case best.record.Exists() && !best.whole:
		return record.Record{}, errAgain // the newest value stayed behind: bring all of them
	case best.virtual || len(best.holders) >= o.w:
		return best.record, nil
	case best.soft:
		return record.Record{}, errSoft
	}
	return best.record, o.writeBack(best.record, best.holders)
}

// writeBack brings a record that a read found to owners that lack it, until W hold it: only then may it be returned. An owner that holds
// something newer has not acknowledged this one: errBeaten, and the read starts again.
func (o *operation) writeBack(rec record.Record, holders []string) error {
	o.c.opt.Metrics.repaired()
	s := &storing{o: o, op: wire.OpWriteBack, free: true, rec: rec, holders: holders}
	err := s.once()
	if err == errTimeUp {
		return o.failure(ErrQuorumUnavailable, true, len(s.holders), o.w, "hold the newest value")
	}
	return err
}

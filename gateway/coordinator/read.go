package coordinator

import (
	"context"
	"time"

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
		answers, err := o.ask(func() int { return 1 }, allValues)
		if err != nil {
			return record.Record{}, err
		}
		return answers[0].record, nil
	}
	defer c.opt.Metrics.readTook(time.Now())
	for want := oneValue; ; want = allValues {
		rec, err := o.read(want)
		if err != errAgain {
			return rec, err
		}
	}
}

// read is one try. It asks at least W owners, since fewer could not show that W hold the same.
func (o *operation) read(v values) (record.Record, error) {
	answers, err := o.ask(func() int { return max(o.r, o.w, everyWrite(len(o.owners))) }, v)
	if err != nil {
		return record.Record{}, err
	}
	best, holders := newest(answers)
	o.c.clock.Observe(best.record.Version)
	if best.record.Exists() && !best.whole {
		return record.Record{}, errAgain // the newest value stayed behind: bring all of them
	}
	if len(holders) >= o.w {
		return best.record, nil
	}
	return best.record, o.writeBack(best.record, holders)
}

// writeBack brings a record that a read found to owners that lack it, until W hold it: only then may it be returned. An owner that holds
// something newer has not acknowledged this one; the read starts again.
func (o *operation) writeBack(rec record.Record, holders []string) error {
	o.c.opt.Metrics.repaired()
	s := &storing{o: o, op: wire.OpWriteBack, rec: rec, holders: holders}
	err := s.once()
	switch {
	case err == nil || err == errAgain:
		return err
	case err == errTimeUp:
		return o.failure(ErrQuorumUnavailable, true, len(s.holders), o.w, "hold the newest value")
	default:
		return err
	}
}

package replica

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"ringkv/hashring/placement"
	"ringkv/node/record"
	"ringkv/node/wire"
)

// witnesses are other owners of a slot that tell this one what it may have known and lost. What it has acknowledged, it has acknowledged
// together with others, or not to the end:
//   - each quorum that it was part of has another member among the witnesses, so that they hold what was decided;
//   - all of them guard a version of this moment, so that nothing older that it has had a part in, and forgotten, can be decided now;
//   - and it guards the same, so that it keeps what it may have promised and forgotten. That lies no further ahead than clocks may
//     differ, which is why the damage must be older than that.
//
// This node counts for nothing itself.
type witnesses struct {
	r      *Replica
	slot   int
	config *placement.Config
	guard  record.Version
	owners []string
}

// witnesses has enough other owners guard this moment: a majority, or all that there are.
func (r *Replica) witnesses(ctx context.Context, slot int, config *placement.Config) (*witnesses, error) {
	if len(config.Owners) < 2 {
		return nil, errors.New("a record is damaged here, and no other node holds a copy")
	}
	w := &witnesses{r: r, slot: slot, config: config, guard: r.opt.Clock.Next(record.Version{})}
	var why error
	for _, owner := range r.others(config) {
		resp, err := r.ask(ctx, owner, &wire.Request{Op: wire.OpGuard, Config: config, Slot: slot, Ballot: w.guard})
		switch {
		case err != nil:
			why = err
		case resp.Pulled == nil || !standsIn(resp.Pulled, config):
			why = fmt.Errorf("%s has not settled the slot", owner)
		default:
			w.owners = append(w.owners, owner)
		}
	}
	if need := min(len(config.Owners)/2+1, len(config.Owners)-1); len(w.owners) < need {
		return nil, fmt.Errorf("what is damaged here is repaired from %d other owners of the slot, and %d answered: %w", need, len(w.owners), why)
	}
	return w, nil
}

// newest returns the newest record that any of the witnesses holds of key. If none holds one, what was lost was never decided, and
// the key counts as deleted at the guard.
func (w *witnesses) newest(ctx context.Context, key string) (record.Record, error) {
	best := record.Record{Key: key}
	for _, owner := range w.owners {
		resp, err := w.r.ask(ctx, owner, &wire.Request{Op: wire.OpPull, Config: w.config, Key: key})
		switch p := resp.Pulled; {
		case err != nil:
			return best, err
		case p == nil || !standsIn(p, w.config) || len(p.Records) > 1 || len(p.Records) == 1 && p.Records[0].Key != key:
			return best, fmt.Errorf("%s was asked for one key of a slot that it has settled, and answers something else", owner)
		default:
			rec := record.Record{Key: key}
			if len(p.Records) == 1 {
				rec = p.Records[0]
			}
			rec, _ = seen(rec, p.Floor)
			best = record.Newer(best, rec)
		}
	}
	if best.Version.IsZero() {
		best.Version, best.Deleted = w.guard, true
	}
	return best, nil
}

// replace puts the newest that the witnesses hold of keys in the place of what is here, some at a time.
func (w *witnesses) replace(ctx context.Context, keys []string) error {
	for chunk := range slices.Chunk(keys, mendValues) {
		var recs []record.Record
		for _, key := range chunk {
			rec, err := w.newest(ctx, key)
			if err != nil {
				return err
			}
			recs = append(recs, rec)
		}
		if err := w.store(ctx, recs); err != nil {
			return err
		}
	}
	return nil
}

// store puts records in the place of damaged ones, under the guard.
func (w *witnesses) store(ctx context.Context, recs []record.Record) error {
	err := w.r.change(ctx, &item{slot: w.slot, within: w.config, absorb: recs, mend: true, guard: w.guard})
	if err == nil {
		w.r.opt.Metrics.repaired("damage", len(recs))
		err = w.r.throttle(ctx, recs)
	}
	return err
}

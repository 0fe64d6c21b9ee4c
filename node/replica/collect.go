package replica

import (
	"context"
	"time"

	"golang.org/x/sync/errgroup"

	"ringkv/node/record"
	"ringkv/node/store"
	"ringkv/node/wire"
)

// collectTombstones gives up old tombstones, slot by slot. In each, the first of the owners sees to it, and only while all of them
// answer:
//  1. all of them guard a version: none takes anything up to there any more;
//  2. what any of them holds up to there, all of them hold, or something newer;
//  3. so a key that is absent is deleted as of that version, which is their floor from now on, and the tombstones below it can go.
//
// It can be abandoned at any point, and begun again by anyone.
func (c *comparison) collectTombstones(ctx context.Context, standings []standing) error {
	if time.Now().Before(c.collectNext) {
		return nil
	}
	c.collectNext = time.Now().Add(c.opt.CollectAfter / 2)
	var why error
	for _, st := range standings {
		if st.config.Owners[0] != c.r.self || len(st.others) < len(st.config.Owners)-1 || ctx.Err() != nil {
			continue
		}
		if upTo := c.collectable(st); !upTo.IsZero() {
			if err := c.r.collect(ctx, st, upTo); err != nil {
				why = err
			}
		}
	}
	return why
}

// collectable returns up to where tombstones of a slot are to be given up: to the newest that is old enough, and to the highest floor
// that any owner has, so that none stays behind. It is zero where there is nothing to do.
func (c *comparison) collectable(st standing) record.Version {
	s := c.r.slots[st.slot].Load()
	old := c.r.opt.Now().Add(-c.opt.CollectAfter)
	lowest, highest := s.Floor, s.Floor
	for _, p := range st.others {
		highest = later(highest, p.Floor)
		if lowest.After(p.Floor) {
			lowest = p.Floor
		}
	}
	upTo := highest
	err := c.r.store.Heads(st.slot, "", func(key string, h store.Head) bool {
		if !h.Deleted {
			return true
		}
		v := h.Version
		if h.Marked {
			rec, err := c.r.stored(key, false)
			if err != nil {
				return true // it stays until it's repaired
			}
			v = later(v, rec.Ballot)
		}
		if v.Time().Before(old) {
			upTo = later(upTo, v)
		}
		return true
	})
	if err != nil || !upTo.After(lowest) {
		return record.Version{}
	}
	return upTo
}

// collect does so for one slot.
func (r *Replica) collect(ctx context.Context, st standing, upTo record.Version) error {
	a := r.newAlignment(st.slot, st.config, r.others(st.config))
	a.ask = wire.Request{Op: wire.OpGuard, Config: st.config, Slot: st.slot, Ballot: upTo}
	if err := a.run(ctx); err != nil {
		return err
	}
	// From here on it's a fact. Who isn't told collects the next time.
	var g errgroup.Group
	for _, owner := range st.config.Owners {
		g.Go(func() error {
			_, err := r.ask(ctx, owner, &wire.Request{Op: wire.OpFloor, Config: st.config, Slot: st.slot, Ballot: upTo})
			return err
		})
	}
	return g.Wait()
}

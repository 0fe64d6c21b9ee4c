package replica

import (
	"context"
	"errors"
	"maps"
	"slices"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"

	"ringkv/hashring/placement"
	"ringkv/node/wire"
)

const (
	compareSlots = 8 // asked about at a time
	repairSlots  = 2 // repaired at a time
)

// A pair is a slot and another owner of it.
type pair struct {
	slot  int
	owner string
}

// compared is what came of comparing a pair.
type compared struct {
	same         time.Time // when both last held the same, or were brought to; zero: not since one of them could not be asked
	ours, theirs uint64    // the digests that differed last time
}

// A comparison keeps the slots that this node owns the same as their other owners'. Digests are compared each round. Where they differ,
// records are compared and repaired both ways, if
//   - both digests are what they were a round ago: nobody is writing, so nothing will make up the difference; or
//   - the other could not be asked when it was its turn last: it was away, or this node was; or
//   - it has been opt.Full since they were last the same: a slot that is always written to is never the same at one moment.
type comparison struct {
	r     *Replica
	opt   UpkeepOptions
	pairs map[pair]*compared // nothing of a pair means that it has not been the same yet

	collectNext time.Time // when to look for tombstones to collect
}

// A standing is how this node and the others stand to one slot that this one owns and has settled.
type standing struct {
	slot   int
	config *placement.Config
	digest uint64
	others map[string]*wire.Pulled // those that answered, and have settled config as well
	why    error                   // why some didn't
}

// round compares every slot, and repairs those for which it is time. It returns one of the errors, if there were any.
func (c *comparison) round(ctx context.Context) error {
	standings := c.r.standings(ctx)
	pairs := map[pair]*compared{}
	var mu sync.Mutex // guards pairs and behind
	behind := 0
	var g errgroup.Group
	g.SetLimit(repairSlots)
	var why error
	for _, st := range standings {
		if st.why != nil {
			why = st.why
		}
		owners, differ := c.differing(st, pairs, &mu)
		if differ {
			behind++
		}
		if len(owners) == 0 || ctx.Err() != nil {
			continue
		}
		g.Go(func() error {
			repaired, err := c.repair(ctx, st, owners)
			mu.Lock()
			defer mu.Unlock()
			for _, owner := range repaired {
				pairs[pair{st.slot, owner}] = &compared{same: time.Now()}
			}
			return err
		})
	}
	err := errors.Join(g.Wait(), why, c.collectTombstones(ctx, standings))
	c.pairs = pairs
	c.r.opt.Metrics.comparedSlots(behind)
	return err
}

// repair brings this node and these owners to the same records, and returns those with which that was done. One that fails is no
// reason to leave out another.
func (c *comparison) repair(ctx context.Context, st standing, owners []string) (repaired []string, err error) {
	err = c.r.newAlignment(st.slot, st.config, owners).run(ctx)
	switch {
	case err == nil:
		return owners, nil
	case len(owners) == 1:
		return nil, err
	}
	for _, owner := range owners {
		if _, each := c.repair(ctx, st, []string{owner}); each == nil {
			repaired = append(repaired, owner)
		}
	}
	return repaired, err
}

// differing notes how st came out in pairs, and returns the owners with which the slot is to be repaired now.
func (c *comparison) differing(st standing, pairs map[pair]*compared, mu *sync.Mutex) (repair []string, differ bool) {
	mu.Lock()
	defer mu.Unlock()
	for _, owner := range slices.Sorted(maps.Keys(st.others)) {
		p := st.others[owner]
		if p.Digest == st.digest {
			pairs[pair{st.slot, owner}] = &compared{same: time.Now()}
			continue
		}
		differ = true
		last := c.pairs[pair{st.slot, owner}]
		now := &compared{ours: st.digest, theirs: p.Digest}
		still := last != nil && last.ours == now.ours && last.theirs == now.theirs
		if last != nil {
			now.same = last.same
		}
		if still || time.Since(now.same) >= c.opt.Full {
			repair = append(repair, owner)
			now.same = time.Time{} // until it's done
		}
		pairs[pair{st.slot, owner}] = now
	}
	return repair, differ
}

// standings asks the other owners of all slots that this node has settled how they stand.
func (r *Replica) standings(ctx context.Context) []standing {
	var all []standing
	var mu sync.Mutex // guards all
	var g errgroup.Group
	g.SetLimit(compareSlots)
	for slot := range r.slots {
		s := r.slots[slot].Load()
		if s == nil || r.doubt[slot].Load() || !s.settled() || !s.Promised.Owns(r.self) || ctx.Err() != nil {
			continue
		}
		g.Go(func() error {
			st := r.standing(ctx, slot, s.Promised)
			mu.Lock()
			defer mu.Unlock()
			all = append(all, st)
			return nil
		})
	}
	_ = g.Wait() // none of them fails
	return all
}

func (r *Replica) standing(ctx context.Context, slot int, config *placement.Config) standing {
	st := standing{slot: slot, config: config, others: map[string]*wire.Pulled{}}
	for _, owner := range r.others(config) {
		p, err := r.askSlot(ctx, owner, slot, config)
		switch {
		case err != nil:
			st.why = err
		case standsIn(p, config):
			st.others[owner] = p
		}
	}
	st.digest = r.store.Digest(slot)
	return st
}

// newAlignment returns one of this node with some other owners of a slot.
func (r *Replica) newAlignment(slot int, config *placement.Config, owners []string) *alignment {
	return &alignment{r: r, slot: slot, config: config, owners: append([]string{r.self}, owners...),
		ask: wire.Request{Op: wire.OpPull, Config: config, Slot: slot, HeadOnly: true}}
}

package replica

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"time"

	"golang.org/x/sync/errgroup"

	"ringkv/hashring/placement"
	"ringkv/node/record"
	"ringkv/node/store"
	"ringkv/node/wire"
)

// repairPatience is how long this node waits after its start before it repairs slots in doubt, and after it has noticed that a record is damaged before it
// replaces that. Whoever was entering a config, or comparing, may still use an answer of this node, from before it lost what it had promised or held then, for
// at most windowTime. This wait outlasts that, and what clocks may differ.
func (r *Replica) repairPatience() time.Duration { return max(2*windowTime, r.opt.MaxSkew) }

const recoverSlots = 4 // at a time

// A slot is in doubt where the disk has lost a line of which nobody knows what it was about: a record, or a promise. This node then says
// nothing about the slot. It becomes an owner again
//   - by promising the latest config that it was ever told of, or that any owner knows;
//   - once enough other owners have settled just that, by witness of these, for every key that they hold. It has not begun with the slot, and
//     never will again.
//
// recoverAll does so for all slots in doubt.
func (r *Replica) recoverAll(ctx context.Context, began time.Time) error {
	if time.Since(began) < r.repairPatience() {
		return nil
	}
	var g errgroup.Group
	g.SetLimit(recoverSlots)
	for slot := range r.doubt {
		if !r.doubt[slot].Load() || !r.opt.Only(slot) || ctx.Err() != nil {
			continue
		}
		g.Go(func() error {
			if err := r.recover(ctx, slot); err != nil {
				return fmt.Errorf("slot %d is not served, since its data is damaged here: %w", slot, err)
			}
			return nil
		})
	}
	return g.Wait()
}

func (r *Replica) recover(ctx context.Context, slot int) error {
	config, err := r.renew(ctx, slot)
	if err != nil || !config.Owns(r.self) { // not an owner: it will be dropped
		return err
	}
	w, err := r.witnesses(ctx, slot, config)
	if err != nil {
		return err
	}
	floor, err := w.restore(ctx)
	if err != nil {
		return err
	}
	if err := r.change(ctx, &item{slot: slot, within: config, settle: true, floor: floor, guard: w.guard}); err != nil {
		return err
	}
	return r.trust(slot)
}

// trust ends the doubt about a slot.
func (r *Replica) trust(slot int) error {
	if err := r.store.(store.Doubter).Repaired(slot); err != nil {
		return fmt.Errorf("end the doubt about slot %d: %w", slot, err)
	}
	r.doubt[slot].Store(false)
	return nil
}

// renew promises the latest config of the slot that is known to this node or to any owner that answers, and returns it.
func (r *Replica) renew(ctx context.Context, slot int) (*placement.Config, error) {
	var latest *placement.Config
	note := func(configs ...*placement.Config) {
		for _, c := range configs {
			if c != nil && (latest == nil || c.Generation > latest.Generation) {
				latest = c
			}
		}
	}
	next := &state{Founded: true}
	if before, err := parseState(r.store.SlotState(slot)); err == nil {
		note(before.Promised)
		next.Guard = before.Guard
	}
	note(r.history(slot)...)
	if latest == nil {
		return nil, errors.New("the placement isn't known yet")
	}
	for {
		asked := latest
		for _, owner := range r.others(asked) {
			if p, err := r.askSlot(ctx, owner, slot, asked); err == nil {
				note(p.Settled)
				note(p.History...)
			}
		}
		if latest == asked {
			break
		}
	}
	if s := r.slots[slot].Load(); s != nil && s.Promised.Equal(latest) {
		return latest, nil
	}
	next.Promised, next.History = latest, []*placement.Config{latest}
	return latest, r.change(ctx, &item{slot: slot, renew: next})
}

// restore stores all that the witnesses hold of the slot, page by page, and returns their floor.
func (w *witnesses) restore(ctx context.Context) (floor record.Version, err error) {
	a := &alignment{r: w.r, slot: w.slot, config: w.config, owners: w.owners,
		ask: wire.Request{Op: wire.OpPull, Config: w.config, Slot: w.slot, HeadOnly: true}}
	for n := range alignPages {
		pages, err := a.pages(ctx)
		if err != nil {
			return floor, err
		}
		highest := record.Version{}
		for _, p := range pages {
			highest = later(highest, p.Floor)
		}
		if n > 0 && highest != floor {
			return floor, errors.New("tombstones were collected meanwhile: it is restored once more")
		}
		floor = highest
		end, more := endOf(pages)
		if err := w.restorePage(ctx, pages, a.ask.After, end, more, floor); err != nil || !more {
			return floor, err
		}
		a.ask.After = end
	}
	return floor, fmt.Errorf("slot %d has no end", w.slot)
}

// restorePage stores the newest of what pages show up to end, and deletes what nobody but this node holds below their floor.
func (w *witnesses) restorePage(ctx context.Context, pages map[string]*wire.Pulled, after, end string, more bool, floor record.Version) error {
	keys := map[string]bool{}
	for _, p := range pages {
		for _, rec := range p.Records {
			keys[rec.Key] = !more || rec.Key <= end
		}
	}
	err := w.r.store.Heads(w.slot, after, func(key string, h store.Head) bool {
		if more && key > end {
			return false
		}
		if _, told := keys[key]; !told {
			keys[key] = !h.Version.After(floor)
		}
		return true
	})
	if err != nil && !errors.Is(err, store.ErrCorrupt) { // which it is: the slot is in doubt
		return err
	}
	maps.DeleteFunc(keys, func(_ string, wanted bool) bool { return !wanted })
	return w.replace(ctx, slices.Sorted(maps.Keys(keys)))
}

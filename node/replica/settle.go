package replica

import (
	"context"
	"errors"
	"fmt"
	"time"

	"ringkv/hashring"
	"ringkv/hashring/placement"
)

const (
	settleEvery = time.Second      // slots that could not be settled are tried again
	windowTime  = 10 * time.Second // for one page, or for one lot of values
)

// Settle fetches in the background what this node should hold and doesn't yet, slot by slot, until ctx is done. Requests don't wait for it: their keys
// are pulled as they come.
func (r *Replica) Settle(ctx context.Context, changed <-chan struct{}) error {
	ticker := time.NewTicker(settleEvery)
	defer ticker.Stop()
	for {
		if err := r.settleAll(ctx); err != nil && ctx.Err() == nil {
			r.opt.Log.Info("some slots are not settled yet", "error", err)
		}
		select {
		case <-ctx.Done():
			return nil
		case <-changed:
		case <-ticker.C:
		}
	}
}

// settleAll promises what the current view says, and enters every slot that this node owns and hasn't settled, until there is another placement. It returns
// the first error, if there were any.
func (r *Replica) settleAll(ctx context.Context) error {
	view := r.opt.View()
	if view == nil {
		return nil
	}
	if err := r.Learn(ctx, view); err != nil {
		return err
	}
	if err := r.confirmAll(ctx, view); err != nil {
		return err
	}
	silent := &silence{}
	var first error
	for slot := range hashring.Slots {
		config := r.toSettle(slot, view)
		if config == nil || ctx.Err() != nil {
			continue
		}
		if now := r.opt.View(); now != nil && now.Generation() != view.Generation() {
			break // the next round enters what that says
		}
		if err := r.settle(ctx, slot, config, silent, false); first == nil {
			first = err
		}
	}
	return first
}

// toSettle returns the config that this node has to settle a slot in, nil for none.
func (r *Replica) toSettle(slot int, view *placement.View) *placement.Config {
	if !r.opt.Only(slot) || r.doubt[slot].Load() {
		return nil
	}
	config, s := view.Config(slot), r.slots[slot].Load()
	switch {
	case (s == nil || s.Promised.Generation < config.Generation) && config.Owns(r.self):
		return config
	case s != nil && s.Promised.Owns(r.self) && !s.settled():
		return s.Promised
	}
	return nil
}

// settle promises config, pulls every key of the slot, and settles it. Those who are silent aren't asked, and whoever turns out to be is added to them:
// else each slot that needs its answer would hold up those behind it anew. With onlySame it returns errDiffers rather than fetch anything.
func (r *Replica) settle(ctx context.Context, slot int, config *placement.Config, silent *silence, onlySame bool) error {
	if s := r.slots[slot].Load(); s == nil || s.Promised.Generation < config.Generation {
		if err := r.change(ctx, &item{slot: slot, promise: config}); err != nil {
			return err
		}
	}
	cursor, all, floor := r.entering.progress(slot, config)
	for ; !all; cursor, all, floor = r.entering.progress(slot, config) {
		w, err := r.pullWindow(ctx, slot, config, cursor, silent, onlySame)
		if errors.Is(err, errOvertaken) {
			return nil // the next round has the later config
		}
		if err != nil {
			return fmt.Errorf("slot %d: %w", slot, err)
		}
		if !r.entering.advance(slot, config, w.end, !w.more, w.floor) {
			return fmt.Errorf("slot %d: is compared once more, since tombstones were collected meanwhile", slot)
		}
	}
	if len(config.Owners) == 1 && r.damaged(slot) && !r.alone(slot) { // the earlier owners would drop the copies that are whole
		return fmt.Errorf("slot %d: has records that are damaged here, and no other node is to hold it: start other nodes, and give this one up once this slot is all that they lack", slot)
	}
	err := r.change(ctx, &item{slot: slot, within: config, settle: true, floor: floor})
	if err == nil {
		r.entering.forget(slot, config)
	}
	if errors.Is(err, errOvertaken) {
		return nil
	}
	return err
}

package replica

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"time"

	"ringkv/hashring"
	"ringkv/hashring/placement"
	"ringkv/node/record"
	"ringkv/node/store"
	"ringkv/node/wire"
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

// A window is how far one page of each contact reaches.
type window struct {
	end   string
	more  bool           // there is something behind end
	floor record.Version // the highest of those who answered
}

// pullWindow brings the keys behind cursor up to date, as far as one page of each contact reaches. Versions are compared first, so that only
// values that this node lacks travel.
func (r *Replica) pullWindow(ctx context.Context, slot int, config *placement.Config, cursor string, silent *silence, onlySame bool) (w window, err error) {
	s := r.slots[slot].Load()
	if s == nil || !s.Promised.Equal(config) {
		return w, errOvertaken
	}
	req := &wire.Request{Op: wire.OpPull, Config: config, Slot: slot, After: cursor, HeadOnly: true}
	if cursor == "" {
		req.Digest = r.digest(slot, s)
	}
	c := r.newCollection(slot, s, req)
	c.hasty, c.silent = true, silent // other slots wait for their turn
	patience := windowTime
	if onlySame {
		c.only = s.Settled // who enters the slot only now holds less as a rule
		patience = confirmTime
	}
	began := time.Now()
	within, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	if err := c.run(within); err != nil {
		return w, cmp.Or(r.rest(ctx, time.Since(began)), err) // those who did answer have worked for it
	}
	w.end, w.more = c.end()
	w.floor = c.floor()
	told, fetch, err := c.compare(w)
	if err == nil && onlySame && (w.more || len(fetch) > 0) {
		err = errDiffers
	}
	if err != nil {
		return w, err
	}
	if err := r.absorb(ctx, slot, config, c.guard(), told); err != nil {
		return w, err
	}
	if !c.same() {
		err = r.rest(ctx, time.Since(began))
	}
	if err != nil {
		return w, err
	}
	return w, r.bring(ctx, slot, config, fetch)
}

// compare returns what this node lacks of a window: deletions and ballots, of which everything is told already, and the keys
// of which the value is to be fetched.
func (c *collection) compare(w window) (told []record.Record, fetch []fetching, err error) {
	keys := map[string]struct{}{}
	for _, got := range c.got {
		for _, rec := range got.Records {
			if w.more && rec.Key > w.end {
				break
			}
			keys[rec.Key] = struct{}{}
		}
	}
	// What this node alone holds may be deleted, as the floor of another says.
	if len(keys) == 0 && c.same() {
		return nil, nil, nil
	}
	err = c.r.store.Heads(c.slot, c.req.After, func(key string, h store.Head) bool {
		if w.more && key > w.end {
			return false
		}
		if !h.Version.After(w.floor) {
			keys[key] = struct{}{}
		}
		return true
	})
	if err != nil {
		return nil, nil, errors.New(unreadable(err).Detail)
	}
	for _, key := range slices.Sorted(maps.Keys(keys)) {
		own, err := c.r.stored(key, false)
		if err != nil {
			return nil, nil, errors.New(unreadable(err).Detail)
		}
		best, from := c.newest(key)
		held, _ := seen(own, c.s.Floor)
		newer := best.Version.After(held.Version)
		switch {
		case newer && best.Exists():
			fetch = append(fetch, fetching{key, from})
			told = append(told, record.Record{Key: key, Ballot: best.Ballot})
		case newer || best.Ballot.After(own.Ballot):
			told = append(told, best)
		}
	}
	return told, fetch, nil
}

// same reports whether all who answered hold the same as this node.
func (c *collection) same() bool {
	for _, got := range c.got {
		if !got.Same {
			return false
		}
	}
	return true
}

// end returns how far the pages that were collected reach: to the shortest one's end.
func (c *collection) end() (end string, more bool) {
	for _, got := range c.got {
		if !got.More {
			continue
		}
		if last := got.Records[len(got.Records)-1].Key; !more || last < end {
			end, more = last, true
		}
	}
	return end, more
}

package replica

import (
	"cmp"
	"context"
	"errors"
	"maps"
	"slices"
	"time"

	"ringkv/hashring/placement"
	"ringkv/node/record"
	"ringkv/node/store"
	"ringkv/node/wire"
)

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
	w.end, w.more = endOf(c.got)
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
	if !c.same() { // to find that out costs next to nothing
		if err := r.rest(ctx, time.Since(began)); err != nil {
			return w, err
		}
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

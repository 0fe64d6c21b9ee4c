package replica

import (
	"context"
	"errors"
	"sync"

	"golang.org/x/sync/errgroup"

	"ringkv/hashring"
	"ringkv/hashring/placement"
	"ringkv/node/store"
)

const (
	dropSlots = 64 // forgotten with one sync
	dropAsks  = 8  // slots asked about at a time
)

// A leaving is a slot that this node holds something of and doesn't own in config, which it has promised.
type leaving struct {
	slot   int
	config *placement.Config
}

// dropped is the state after forgetting the slot: the promise stays. So does that this node has begun with the slot, or has had its
// chance to: who knows nothing any more must never take that for "there is nothing".
func (s *state) dropped() *state {
	return &state{Promised: s.Promised, History: []*placement.Config{s.Promised}, Founded: true, Guard: s.Guard}
}

// A leaver frees what this node no longer owns. What others hold, they had from it or could have had: so it keeps everything until each
// owner of the promised config has said itself that it has settled that, or a later one. That is true for good once it's true,
// so the answers may come one by one, and are asked for anew after a restart.
type leaver struct {
	r    *Replica
	told map[int]*telling // by slot
}

// A telling is which owners have said that they have settled config.
type telling struct {
	config  *placement.Config
	settled map[string]bool
}

// pass promises what the view says of slots that this node holds but doesn't own there, and forgets those that it may.
func (l *leaver) pass(ctx context.Context) error {
	if err := l.promiseAll(ctx); err != nil {
		return err
	}
	held := l.r.leavings()
	l.forget(held)
	var mu sync.Mutex // guards ready and why
	var ready []leaving
	var why error
	var g errgroup.Group
	g.SetLimit(dropAsks)
	for _, left := range held {
		if l.told[left.slot] == nil {
			l.told[left.slot] = &telling{left.config, map[string]bool{}}
		}
		told := l.told[left.slot]
		g.Go(func() error {
			err := told.ask(ctx, l.r, left.slot)
			mu.Lock()
			defer mu.Unlock()
			if err == nil {
				ready = append(ready, left)
			} else {
				why = err
			}
			return nil
		})
	}
	if err := g.Wait(); err != nil {
		return err
	}
	for len(ready) > 0 {
		n := min(len(ready), dropSlots)
		if err := l.r.change(ctx, &item{drop: ready[:n]}); err != nil {
			return err
		}
		if err := l.r.trustEmpty(ready[:n]); err != nil {
			return err
		}
		ready = ready[n:]
	}
	return why
}

// trustEmpty ends the doubt about slots that have just been forgotten.
func (r *Replica) trustEmpty(dropped []leaving) error {
	for _, left := range dropped {
		if !r.doubt[left.slot].Load() || !r.slots[left.slot].Load().Promised.Equal(left.config) {
			continue
		}
		if err := r.trust(left.slot); err != nil {
			return err
		}
	}
	return nil
}

// promiseAll promises the view's config of slots that this node holds something of and no longer owns, since nobody has to ask it
// again for that. Owners' promises are made as they settle.
func (l *leaver) promiseAll(ctx context.Context) error {
	view := l.r.opt.View()
	if view == nil {
		return nil
	}
	var g errgroup.Group
	g.SetLimit(dropSlots) // what waits at the same time shares a sync
	for slot := range hashring.Slots {
		config, s := view.Config(slot), l.r.slots[slot].Load()
		if l.r.doubt[slot].Load() || s == nil || config.Owns(l.r.self) || s.Promised.Generation >= config.Generation || !l.r.holds(slot, s) {
			continue
		}
		g.Go(func() error {
			err := l.r.change(ctx, &item{slot: slot, promise: config})
			if errors.Is(err, errOvertaken) {
				return nil
			}
			return err
		})
	}
	return g.Wait()
}

// leavings returns the slots that this node holds something of and doesn't own.
func (r *Replica) leavings() (held []leaving) {
	for slot := range r.slots {
		if s := r.slots[slot].Load(); s != nil && !s.Promised.Owns(r.self) && r.holds(slot, s) {
			held = append(held, leaving{slot, s.Promised})
		}
	}
	return held
}

// holds reports whether there is anything to forget of a slot.
func (r *Replica) holds(slot int, s *state) bool {
	any := s.Settled != nil || len(s.History) > 1
	if !any {
		// ErrCorrupt tells of a slot in doubt, which holds something.
		err := r.store.Heads(slot, "", func(string, store.Head) bool { any = true; return false })
		any = any || err != nil
	}
	return any
}

// forget gives up what was told of slots that aren't held any more, or in another config.
func (l *leaver) forget(held []leaving) {
	kept := map[int]*telling{}
	for _, left := range held {
		if told := l.told[left.slot]; told != nil && told.config.Equal(left.config) {
			kept[left.slot] = told
		}
	}
	l.told = kept
}

// ask asks those owners that haven't said yet that they have settled. No error means that all have.
func (t *telling) ask(ctx context.Context, r *Replica, slot int) (why error) {
	for _, identity := range t.config.Owners {
		if t.settled[identity] {
			continue
		}
		p, err := r.askSlot(ctx, identity, slot, t.config)
		switch {
		case err != nil:
			why = err
		case p.Settled == nil || p.Settled.Generation < t.config.Generation:
			why = errors.New(p.Node + " has not settled the slot yet")
		default:
			t.settled[identity] = true
		}
	}
	return why
}

// drop forgets slots, where this node has promised nothing else meanwhile.
func (b *batch) drop(it *item) {
	it.staged = true
	for _, left := range it.drop {
		s := b.state(left.slot)
		if s == nil || !s.Promised.Equal(left.config) || left.config.Owns(b.r.self) || b.dropped[left.slot] != nil {
			continue
		}
		if b.dropped == nil {
			b.dropped = map[int]*state{}
		}
		b.states[left.slot] = s.dropped()
		b.dropped[left.slot] = b.states[left.slot]
		b.out.Drop = append(b.out.Drop, left.slot)
	}
}

// hideDropped lets nobody read slots that are being forgotten as if everything were there. They stand as they will after that; undo is
// for when it failed.
func (b *batch) hideDropped() (undo func()) {
	before := make(map[int]*state, len(b.dropped))
	for slot, s := range b.dropped {
		before[slot] = b.r.slots[slot].Swap(s)
	}
	return func() {
		for slot, s := range before {
			b.r.slots[slot].Store(s)
		}
	}
}

package replica

import (
	"context"
	"fmt"

	"ringkv/hashring"
	"ringkv/hashring/placement"
	"ringkv/node/record"
	"ringkv/node/wire"
)

// learned is a slot that this node begins with, and its first config.
type learned struct {
	slot  int
	first *placement.Config
}

// Learn takes the slots that this node owns in generation 0, where it has not begun with them before. Only the node
// that the placement was founded with may do so: one whose data directory was wiped is named with another disk, and has
// to learn from the others what the slots hold. It returns when that is durable.
func (r *Replica) Learn(ctx context.Context, view *placement.View) error {
	if !view.Document().Founder(r.opt.ID, r.opt.Disk) {
		return nil
	}
	var learn []learned
	for slot := range r.slots {
		if !r.opt.Only(slot) || r.doubt[slot].Load() || !r.slots[slot].Load().mayFound() {
			continue
		}
		if first := view.History(slot)[0]; first.Generation == 0 && first.Owns(r.self) {
			learn = append(learn, learned{slot, &first})
		}
	}
	if len(learn) == 0 {
		return nil
	}
	done := make(chan wire.Response, 1)
	r.enqueue(&item{learn: learn, respond: func(resp wire.Response) { done <- resp }})
	select {
	case resp := <-done:
		if resp.Status != wire.OK {
			return fmt.Errorf("take over %d slots of generation 0: this node %s", len(learn), resp.Detail)
		}
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// learn stages the slots with which this node has not begun meanwhile.
func (b *batch) learn(it *item) {
	it.staged = true
	for _, l := range it.learn {
		if s := b.state(l.slot); s.mayFound() {
			b.states[l.slot] = s.founded(l.first)
		}
	}
}

// Local returns what this node itself holds of key, whatever the others hold. A ballot alone is nothing.
func (r *Replica) Local(key string) (rec record.Record, slot int, ok bool, err error) {
	rec, ok, err = r.store.Get(key)
	return rec, hashring.SlotOf(key), ok && !rec.Version.IsZero(), err
}

// Slots returns how many slots this node owns in the configs that it has promised, and how many of them it has not
// settled.
func (r *Replica) Slots() (owned, unsettled int) {
	for i := range r.slots {
		s := r.slots[i].Load()
		if s == nil || !s.Promised.Owns(r.self) {
			continue
		}
		owned++
		if !s.settled() {
			unsettled++
		}
	}
	return owned, unsettled
}

// SlotState says in a word how this node stands to a slot: "settled", "unsettled", "not an owner" or "unknown".
func (r *Replica) SlotState(slot int) string {
	switch s := r.slots[slot].Load(); {
	case s == nil:
		return "unknown"
	case !s.Promised.Owns(r.self):
		return "not an owner"
	case s.settled():
		return "settled"
	default:
		return "unsettled"
	}
}

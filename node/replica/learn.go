package replica

import (
	"context"
	"fmt"

	"ringkv/hashring"
	"ringkv/hashring/placement"
	"ringkv/node/record"
	"ringkv/node/wire"
)

// learned is the state in which this node begins with a slot.
type learned struct {
	slot  int
	state *state
}

// Learn takes the slots that this node owns in generation 0, where it has promised nothing else for them. Only the node
// that the placement was founded with may do so: one whose data directory was wiped is named with another disk, and has
// to learn from the others what the slots hold. It returns when that is durable.
func (r *Replica) Learn(ctx context.Context, view *placement.View) error {
	if !view.Document().Founder(r.opt.ID, r.opt.Disk) {
		return nil
	}
	var learn []learned
	for slot := range r.slots {
		first := view.History(slot)[0]
		if r.slots[slot].Load().mayFound(&first) && !r.doubt[slot] && first.Generation == 0 && first.Owns(r.opt.ID) {
			learn = append(learn, learned{slot, founded(&first)})
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

// learn stages the states of slots about which nothing else was promised meanwhile.
func (b *batch) learn(it *item) {
	for _, l := range it.learn {
		if b.state(l.slot).mayFound(l.state.Promised) {
			b.states[l.slot] = l.state
		}
	}
	it.staged, it.answer = true, wire.Response{Status: wire.OK}
}

// Local returns what this node itself holds of key, whatever the others hold.
func (r *Replica) Local(key string) (rec record.Record, slot int, ok bool, err error) {
	rec, ok, err = r.store.Get(key)
	return rec, hashring.SlotOf(key), ok, err
}

// Slots returns how many slots this node owns in the configs that it has promised, and how many of them it has not
// settled.
func (r *Replica) Slots() (owned, unsettled int) {
	for i := range r.slots {
		s := r.slots[i].Load()
		if s == nil || !s.Promised.Owns(r.opt.ID) {
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
	case !s.Promised.Owns(r.opt.ID):
		return "not an owner"
	case s.settled():
		return "settled"
	default:
		return "unsettled"
	}
}

package replica

import (
	"errors"
	"maps"
	"slices"

	"ringkv/hashring"
	"ringkv/hashring/placement"
	"ringkv/node/record"
	"ringkv/node/store"
	"ringkv/node/wire"
)

// A batch is what one commit changes, seen by the items judged later in it.
type batch struct {
	r       *Replica
	states  map[int]*state
	records map[string]int // key -> its place in out.Records
	dropped map[int]*state // slots of out.Drop, and how they stand after that alone
	out     store.Batch
}

// judge decides what the item comes to, and stages what it changes.
func (b *batch) judge(it *item) {
	it.answer = wire.Response{Status: wire.OK}
	switch {
	case it.learn != nil:
		b.learn(it)
	case it.promise != nil:
		b.promise(it, it.promise)
	case it.drop != nil:
		b.drop(it)
	case it.renew != nil:
		b.renew(it)
	case it.within != nil:
		b.enter(it)
	case betweenOwners(it.req.Op):
		b.owner(it)
	default:
		b.request(it)
	}
}

// renew takes the state that a slot in doubt is given anew, unless the doubt is over: it may have promised more than that since.
func (b *batch) renew(it *item) {
	if !b.r.doubt[it.slot].Load() {
		it.answer.Status = wire.Stale
		return
	}
	b.states[it.slot], it.staged = it.renew, true
}

// request judges what a gateway or a peer asks for.
func (b *batch) request(it *item) {
	b.promise(it, it.req.Config)
	if it.answer.Status == wire.OK && !pulls(it.req.Op) {
		it.answer = b.r.admit(it.slot, b.state(it.slot), it.req.Config, it.req.Key)
	}
	if it.answer.Status != wire.OK {
		return
	}
	switch it.req.Op {
	case wire.OpWrite, wire.OpWriteBack, wire.OpAccept:
		b.write(it)
	case wire.OpPrepare:
		b.prepare(it)
	}
}

// promise promises the config, unless that or a later one is promised already.
func (b *batch) promise(it *item, config *placement.Config) {
	s := b.state(it.slot)
	_, it.staged = b.states[it.slot]
	if it.answer = b.r.promised(s, config); it.answer.Status == adopt {
		b.states[it.slot], it.staged = s.adopted(config), true
		it.answer = wire.Response{Status: wire.OK}
	}
}

// enter takes what this node has pulled, as long as the config in which it was pulled is still the one that is promised.
func (b *batch) enter(it *item) {
	s := b.state(it.slot)
	_, it.staged = b.states[it.slot]
	if it.answer = b.r.promised(s, it.within); it.answer.Status != wire.OK {
		it.answer.Status = wire.Stale
		return
	}
	for _, rec := range it.absorb {
		err := b.merge(it, s, rec)
		if it.mend && errors.Is(err, store.ErrCorrupt) {
			b.r.accepted.forget(rec.Key)
			b.r.pasts.forget(rec.Key)
			b.stage(it, rec)
			continue
		}
		if err != nil {
			it.answer = unreadable(err)
			return
		}
	}
	next := s.guarded(it.guard)
	if it.settle {
		if next = next.entered(it.floor); next.Floor.After(s.Floor) {
			b.bare(it, next.Floor)
		}
	}
	if next != s {
		b.states[it.slot], it.staged = next, true
	}
}

// merge takes what another replica holds of a key: the newer record of the two, and the higher ballot.
func (b *batch) merge(it *item, s *state, rec record.Record) error {
	own, err := b.held(it, rec.Key, false)
	if err != nil {
		return err
	}
	held, _ := seen(own, s.Floor)
	newer := rec.Version.After(held.Version)
	if !newer && !rec.Ballot.After(own.Ballot) {
		return nil
	}
	if !newer { // the record stays, value and all
		ballot := rec.Ballot
		if rec, err = b.held(it, rec.Key, true); err != nil {
			return err
		}
		own.Ballot = ballot
	}
	if rec.Ballot = later(rec.Ballot, own.Ballot); newer {
		b.r.accepted.forget(rec.Key)
		b.r.pasts.note(rec.Key, own.Version, held.Version, tenure{version: rec.Version})
	}
	b.stage(it, rec)
	return nil
}

// state returns how a slot stands after what is staged.
func (b *batch) state(slot int) *state {
	if s, staged := b.states[slot]; staged {
		return s
	}
	return b.r.slots[slot].Load()
}

// held returns what stands for key in the batch or in the store, with its value if whole is set. What rests on the batch holds only once
// that is durable.
func (b *batch) held(it *item, key string, whole bool) (record.Record, error) {
	if place, staged := b.records[key]; staged {
		it.staged = true
		return b.out.Records[place], nil
	}
	return b.r.stored(key, whole)
}

// stage puts a record into the batch, in place of an older one of its key.
func (b *batch) stage(it *item, rec record.Record) {
	it.staged = true
	if place, staged := b.records[rec.Key]; staged {
		b.out.Records[place] = rec
		return
	}
	b.records[rec.Key] = len(b.out.Records)
	b.out.Records = append(b.out.Records, rec)
}

// apply makes the batch durable, and then lets others see it.
func (b *batch) apply() error {
	for _, slot := range slices.Sorted(maps.Keys(b.states)) {
		b.out.Slots = append(b.out.Slots, store.SlotState{Slot: slot, State: b.states[slot].text()})
	}
	if len(b.out.Records) == 0 && len(b.out.Slots) == 0 {
		return nil
	}
	undo := b.hideDropped()
	if err := b.r.store.Apply(b.out); err != nil {
		undo()
		return err
	}
	for slot, s := range b.states {
		before := b.r.slots[slot].Swap(s)
		if before == nil || s.Floor.After(before.Floor) {
			b.r.forget(slot, s.Floor)
		}
	}
	for slot, floor := range b.collected() {
		b.r.forget(slot, floor)
	}
	b.r.opt.Metrics.droppedSlots(len(b.out.Drop))
	if b.r.opt.Clock != nil {
		for i := range b.out.Records {
			b.r.opt.Clock.Observe(later(b.out.Records[i].Version, b.out.Records[i].Ballot))
		}
	}
	return nil
}

// collected returns the slots of which a tombstone was stored that the floor stands for already: in place of an older record.
func (b *batch) collected() map[int]record.Version {
	floors := map[int]record.Version{}
	for i := range b.out.Records {
		if rec := &b.out.Records[i]; rec.Deleted {
			slot := hashring.SlotOf(rec.Key)
			if s := b.state(slot); !rec.Version.After(s.Floor) {
				floors[slot] = s.Floor
			}
		}
	}
	return floors
}

// forget gives up the tombstones that the floor of a slot stands for.
func (r *Replica) forget(slot int, floor record.Version) {
	if floor.IsZero() {
		return
	}
	if err := r.store.Forget(slot, floor); err != nil {
		r.opt.Log.Warn("collected tombstones stay in memory until the node is started again", "slot", slot, "error", err)
	}
}

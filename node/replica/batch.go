package replica

import (
	"maps"
	"slices"

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
	case it.within != nil:
		b.enter(it)
	default:
		b.request(it)
	}
}

// request judges what a gateway or a peer asks for.
func (b *batch) request(it *item) {
	b.promise(it, it.req.Config)
	if it.answer.Status == wire.OK && it.req.Op != wire.OpPull {
		it.answer = b.r.admit(it.slot, b.state(it.slot), it.req.Config, it.req.Key)
	}
	if it.answer.Status == wire.OK && it.req.Op != wire.OpRead && it.req.Op != wire.OpPull {
		b.write(it)
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
		if held, damaged := b.held(it, rec.Key); !damaged && rec.Version.After(held) {
			b.stage(it, rec)
		}
	}
	if it.settle {
		b.states[it.slot], it.staged = s.entered(), true
	}
}

// state returns how a slot stands after what is staged.
func (b *batch) state(slot int) *state {
	if s, staged := b.states[slot]; staged {
		return s
	}
	return b.r.slots[slot].Load()
}

// write lets the newest version of a key win. A write that a newer one already covers counts as done: it was stamped later than everything that its
// writer's quorum held, so the newer one was under way at the same time, and may as well have come just after it.
func (b *batch) write(it *item) {
	rec := it.req.Record
	if it.req.Op == wire.OpWrite && record.TooFarAhead(rec.Version, it.req.Base, b.r.opt.Now(), b.r.opt.MaxSkew) {
		b.r.opt.Metrics.tooFarAhead()
		it.answer = wire.Response{Status: wire.TooFarAhead, Detail: "finds the version too far ahead of its clock: set the clocks right, or raise -max-clock-skew"}
		return
	}
	held, lost := b.held(it, rec.Key)
	if lost {
		it.answer = damaged
		return
	}
	switch c := rec.Version.Compare(held); {
	case c > 0:
		b.stage(it, rec)
	case c < 0 && it.req.Op == wire.OpWriteBack:
		it.answer = wire.Response{Status: wire.Superseded, Version: held, Detail: "holds a newer version"}
	}
}

// held returns the version that stands for key in the batch or in the store; lost if that can't be known. What rests on
// the batch holds only once that is durable.
func (b *batch) held(it *item, key string) (v record.Version, lost bool) {
	if place, staged := b.records[key]; staged {
		it.staged = true
		return b.out.Records[place].Version, false
	}
	h, _ := b.r.store.Head(key)
	return h.Version, h.Damaged
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
	if err := b.r.store.Apply(b.out); err != nil {
		return err
	}
	for slot, s := range b.states {
		b.r.slots[slot].Store(s)
	}
	if b.r.opt.Clock != nil {
		for i := range b.out.Records {
			b.r.opt.Clock.Observe(b.out.Records[i].Version)
		}
	}
	return nil
}

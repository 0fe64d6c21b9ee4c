package replica

import (
	"ringkv/hashring"
	"ringkv/node/record"
	"ringkv/node/store"
	"ringkv/node/wire"
)

// guard takes nothing up to the ballot from now on, but from other owners, who held it before.
func (b *batch) guard(it *item, s *state) {
	if record.TooFarAhead(it.req.Ballot, record.Version{}, b.r.opt.Now(), b.r.opt.MaxSkew) {
		it.answer = wire.Response{Status: wire.TooFarAhead, Detail: "is asked to take nothing for a long time to come: set the clocks right, or raise -max-clock-skew"}
		return
	}
	if next := s.guarded(it.req.Ballot); next != s {
		b.states[it.slot], it.staged = next, true
	}
}

// floor learns that all owners hold everything up to the ballot, each under a guard.
func (b *batch) floor(it *item, s *state) {
	floor := it.req.Ballot
	switch {
	case floor.After(s.Guard): // whoever says so hasn't asked this owner
		it.answer = wire.Response{Status: wire.BadRequest, Detail: "is told of a floor that it has never guarded"}
	case floor.After(s.Floor):
		next := *s
		next.Floor = floor
		b.states[it.slot], it.staged = &next, true
		b.bare(it, floor)
		b.r.opt.Metrics.tombstonesCollected(b.r.tombstones(it.slot, floor))
	}
}

// bare leaves nothing but the ballot of tombstones that a new floor stands for and that a ballot was prepared above: owners that never
// prepared it forget them, and all of them must come to hold the same. What can't be read stays as it is.
func (b *batch) bare(it *item, floor record.Version) {
	spared := func(rec record.Record) bool {
		return rec.Deleted && !rec.Version.After(floor) && rec.Ballot.After(floor)
	}
	for i, rec := range b.out.Records {
		if hashring.SlotOf(rec.Key) == it.slot && spared(rec) {
			b.out.Records[i] = record.Record{Key: rec.Key, Ballot: rec.Ballot}
		}
	}
	var marked []string
	err := b.r.store.Heads(it.slot, "", func(key string, h store.Head) bool {
		if _, staged := b.records[key]; !staged && h.Marked && h.Deleted && !h.Damaged {
			marked = append(marked, key)
		}
		return true
	})
	if err != nil { // a slot in doubt was refused before
		return
	}
	for _, key := range marked {
		if rec, err := b.r.stored(key, false); err == nil && spared(rec) {
			b.stage(it, record.Record{Key: key, Ballot: rec.Ballot})
		}
	}
}

// tombstones counts those that Forget(slot, upTo) gives up, or nearly.
func (r *Replica) tombstones(slot int, upTo record.Version) (n int) {
	if r.opt.Metrics == nil {
		return 0
	}
	err := r.store.Heads(slot, "", func(_ string, h store.Head) bool {
		if h.Deleted && !h.Version.After(upTo) {
			n++
		}
		return true
	})
	if err != nil { // a slot in doubt was refused before
		return 0
	}
	return n
}

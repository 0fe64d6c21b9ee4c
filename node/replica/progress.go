package replica

import (
	"ringkv/hashring"
	"ringkv/hashring/placement"
	"ringkv/node/record"
)

// A Progress is how far a node has come with what the placement gives it.
type Progress struct {
	Generation uint64 // of the placement that it goes by
	Owned      int    // slots that it should hold a copy of
	Unsettled  int    // of those: it doesn't hold everything of them yet
	Oldest     uint64 // the oldest generation whose owners it is on the way to be one of; Generation if there is none
	Fetched    int64  // bytes of keys and values fetched from others since the start
	// Promised is the highest generation that any slot has promised. It is one above Generation where a slot has promised what that
	// placement rules out: a generation that was lost from Consul, and written anew with other owners. In either case the slot
	// stands still until there is a placement above Promised.
	Promised uint64
}

// Progress returns how far this node has come; false while it knows of no placement. A slot that it has promised in a config
// later than the placement's counts by that.
func (r *Replica) Progress() (Progress, bool) {
	view := r.opt.View()
	if view == nil {
		return Progress{}, false
	}
	p := Progress{Generation: view.Generation(), Oldest: view.Generation(), Fetched: r.fetched.Load()}
	for slot := range hashring.Slots {
		config, s := view.Config(slot), r.slots[slot].Load()
		p.Promised = max(p.Promised, s.promisedBeside(config, view.Generation()))
		if s != nil && s.Promised.Generation > config.Generation {
			config = s.Promised
		}
		if !r.opt.Only(slot) || !config.Owns(r.self) {
			continue
		}
		p.Owned++
		if s == nil || s.Settled == nil || s.Settled.Generation < config.Generation {
			p.Unsettled++
			p.Oldest = min(p.Oldest, config.Generation)
		}
	}
	return p, true
}

// promisedBeside returns what Progress tells of a slot in state s (which may be nil), to which a placement of that generation gives config.
func (s *state) promisedBeside(config *placement.Config, generation uint64) uint64 {
	switch {
	case s == nil:
		return 0
	case s.Promised.Generation > generation || s.Promised.Generation < config.Generation || s.Promised.Equal(config):
		return s.Promised.Generation
	}
	return generation + 1 // of this chain of documents, none up to here has said what was promised
}

// countFetched adds what has come from others.
func (r *Replica) countFetched(recs []record.Record) {
	n := 0
	for i := range recs {
		n += len(recs[i].Key) + len(recs[i].Value)
	}
	r.fetched.Add(int64(n))
}

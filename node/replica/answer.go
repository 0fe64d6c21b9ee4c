package replica

import (
	"errors"
	"fmt"

	"ringkv/node/record"
	"ringkv/node/store"
	"ringkv/node/wire"
)

// answerPull answers a peer that enters a config of the slot, once this node has promised that: from then on it acts in none
// before it.
func (r *Replica) answerPull(req *wire.Request, respond func(wire.Response)) {
	slot := slotOf(req)
	for {
		s := r.slots[slot].Load()
		switch verdict := r.promised(s, req.Config); verdict.Status {
		case wire.OK:
		case adopt:
			r.enqueue(&item{req: req, slot: slot, respond: respond})
			return
		default:
			respond(verdict)
			return
		}
		resp := r.snapshot(slot, s, req)
		if r.slots[slot].Load() == s { // else what was read may be of two moments
			respond(resp)
			return
		}
	}
}

// Bounds of one page of a slot.
const (
	pageRecords = wire.MaxPage
	pageBytes   = 256 << 10
)

func (r *Replica) snapshot(slot int, s *state, req *wire.Request) wire.Response {
	if len(s.History) > wire.MaxHistory {
		return wire.Response{Status: wire.NotReady, Detail: fmt.Sprintf("has promised %d generations of this slot and settled none of them", len(s.History))}
	}
	p := &wire.Pulled{Node: r.self, Settled: s.Settled, History: s.History}
	if req.Key != "" {
		rec, ok, err := r.store.Get(req.Key)
		switch {
		case errors.Is(err, store.ErrCorrupt):
			return damaged
		case err != nil:
			return wire.Response{Status: wire.Failed, Detail: "could not read its disk: " + err.Error()}
		case ok:
			p.Records = []record.Record{rec}
		}
		return wire.Response{Status: wire.OK, Pulled: p}
	}
	size := 0
	err := r.store.Walk(slot, req.After, func(rec record.Record) bool {
		if p.More = len(p.Records) == pageRecords || size > pageBytes; p.More {
			return false
		}
		if req.HeadOnly {
			rec.Value, rec.Type = nil, ""
		}
		p.Records = append(p.Records, rec)
		size += len(rec.Key) + len(rec.Value) + 64
		return true
	})
	switch {
	case errors.Is(err, store.ErrCorrupt): // what was passed over would be taken for absent
		return damaged
	case err != nil:
		return wire.Response{Status: wire.Failed, Detail: "could not read its disk: " + err.Error()}
	}
	return wire.Response{Status: wire.OK, Pulled: p}
}

package replica

import (
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
	p := &wire.Pulled{Node: r.self, Settled: s.Settled, Guard: s.Guard, Floor: s.Floor, History: s.History}
	var err error
	switch {
	case req.Key != "":
		var rec record.Record
		if rec, err = r.stored(req.Key, true); !isNone(rec) {
			p.Records = []record.Record{rec}
		}
	case req.Op == wire.OpGuard:
		err = r.headPage(p, slot, req.After, req.Ballot)
	case req.HeadOnly:
		err = r.headPage(p, slot, req.After, record.Version{})
	default:
		err = r.store.Walk(slot, req.After, newPage(p).add)
	}
	if err != nil { // what was passed over would be taken for absent
		return unreadable(err)
	}
	return wire.Response{Status: wire.OK, Pulled: p}
}

// headPage fills p with the next page of the slot's records without their values, up to version upTo if that isn't zero. Only the few that are marked are looked up
// on the disk.
func (r *Replica) headPage(p *wire.Pulled, slot int, after string, upTo record.Version) error {
	page, marked, whole := newPage(p), []int(nil), true
	err := r.store.Heads(slot, after, func(key string, h store.Head) bool {
		if whole = whole && !h.Damaged; !whole {
			return false
		}
		if !upTo.IsZero() && h.Version.After(upTo) {
			return true
		}
		if h.Marked {
			marked = append(marked, len(p.Records))
		}
		return page.add(record.Record{Key: key, Version: h.Version, Deleted: h.Deleted})
	})
	if !whole {
		return store.ErrCorrupt
	}
	for _, place := range marked {
		if err != nil || place == len(p.Records) { // that one is for the next page
			break
		}
		var rec record.Record
		if rec, err = r.stored(p.Records[place].Key, false); !isNone(rec) { // else a tombstone that was collected meanwhile
			p.Records[place] = rec
		}
	}
	return err
}

// A page takes records until it's full.
type page struct {
	p    *wire.Pulled
	size int // bytes
}

func newPage(p *wire.Pulled) *page { return &page{p: p} }

// add reports whether there was room for rec.
func (g *page) add(rec record.Record) bool {
	if g.p.More = len(g.p.Records) == pageRecords || g.size > pageBytes; g.p.More {
		return false
	}
	g.p.Records = append(g.p.Records, rec)
	g.size += len(rec.Key) + len(rec.Value) + 64
	return true
}

package replica

import (
	"errors"
	"fmt"

	"ringkv/hashring"
	"ringkv/node/record"
	"ringkv/node/store"
	"ringkv/node/wire"
)

// pulls reports whether op asks what this node holds of a slot's past.
func pulls(op wire.Op) bool { return op == wire.OpPull || op == wire.OpFetch }

// keysOf reports whether keys are of that slot, sorted, and none of them twice.
func keysOf(slot int, keys []string) bool {
	for i, key := range keys {
		if i > 0 && key <= keys[i-1] || hashring.SlotOf(key) != slot {
			return false
		}
	}
	return len(keys) > 0
}

// answerPull answers a peer that enters a config of the slot, once this node has promised that: from then on it acts in none
// before it. It also answers one that had a version guarded, once that is durable.
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

// Bounds of one page of a slot. A value that is larger is a page of its own.
const (
	pageRecords = wire.MaxPage
	pageBytes   = 640 << 10
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
	case req.Op == wire.OpFetch:
		err = r.recordPage(p, req.Keys)
	case req.Op == wire.OpGuard:
		err = r.headPage(p, slot, req.After, func(h store.Head) bool { return req.Ballot.IsZero() || !h.Version.After(req.Ballot) })
	case req.HeadOnly && req.After == "" && req.Digest != 0 && req.Digest == r.digest(slot, s):
		err = r.samePage(p, slot)
	case req.HeadOnly:
		err = r.headPage(p, slot, req.After, everyHead)
	default:
		err = r.store.Walk(slot, req.After, newPage(p).add)
	}
	if err != nil { // what was passed over would be taken for absent
		return unreadable(err)
	}
	return wire.Response{Status: wire.OK, Pulled: p}
}

// recordPage fills p with whole records: of keys, as far as they fit. What can't be read is left out: nothing follows from that.
func (r *Replica) recordPage(p *wire.Pulled, keys []string) error {
	page := newPage(p)
	for _, key := range keys {
		if p.More = page.size >= pageBytes; p.More { // spares reading a value in vain
			break
		}
		rec, err := r.stored(key, true)
		if err != nil && !errors.Is(err, store.ErrCorrupt) {
			return err
		}
		if err == nil && !isNone(rec) && !page.add(rec) {
			break
		}
	}
	return nil
}

// digest is of what this node holds of a slot in state s, its floor included: two nodes with the same one hold the same records, but for their ballots, and count
// the same keys as deleted.
func (r *Replica) digest(slot int, s *state) uint64 {
	return r.store.Digest(slot) + store.Fingerprint("", s.Floor, true)
}

// samePage fills p for one who holds the same records: with those that may have a ballot, which no digest tells of. Where there are more of them than a page holds, it
// is a page like any other.
func (r *Replica) samePage(p *wire.Pulled, slot int) error {
	if p.Same = r.store.Plain(slot); p.Same {
		return nil
	}
	err := r.headPage(p, slot, "", func(h store.Head) bool { return h.Marked })
	if p.Same = !p.More; p.Same || err != nil {
		return err
	}
	p.Records = nil
	return r.headPage(p, slot, "", everyHead)
}

func everyHead(store.Head) bool { return true }

// headPage fills p with the next page of the slot's records without their values: of those that are wanted. Only the few that are marked are looked up
// on the disk.
func (r *Replica) headPage(p *wire.Pulled, slot int, after string, wanted func(store.Head) bool) error {
	page, marked, whole := newPage(p), []int(nil), true
	err := r.store.Heads(slot, after, func(key string, h store.Head) bool {
		if whole = whole && !h.Damaged; !whole {
			return false
		}
		if !wanted(h) {
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

// add reports whether there was room for rec. The first always has it.
func (g *page) add(rec record.Record) bool {
	size := 64 + len(rec.Key) + len(rec.Type) + len(rec.Value)
	if g.p.More = len(g.p.Records) == pageRecords || g.size > 0 && g.size+size > pageBytes; g.p.More {
		return false
	}
	g.p.Records = append(g.p.Records, rec)
	g.size += size
	return true
}

package replica

import (
	"ringkv/node/record"
	"ringkv/node/wire"
)

// write takes a record if it is newer than all that stands in its way: the record that is held, the ballot that was prepared, and the slot's guard.
//
// A plain write that comes too late for that counts as done if a plain write of a later version covers it, and its writer had asked a quorum before it
// stamped ours: so the other was under way at the same time, and ours may as well have come just before it. This holds only while nobody has looked in
// between: a derived record may rest on what was there before ours, and so may whoever prepared a ballot above ours.
func (b *batch) write(it *item) {
	req, s := it.req, b.state(it.slot)
	rec := req.Record
	if req.Op != wire.OpWriteBack && b.tooFarAhead(it, rec.Version, req.Base) {
		return
	}
	own, err := b.held(it, req.Key, false)
	if err != nil {
		it.answer = unreadable(err)
		return
	}
	held, _ := seen(own, s.Floor)
	firm := b.r.accepted.firm(req.Key, held.Version, own.Ballot, req.Config.Generation)
	free := !own.Ballot.After(rec.Version) && rec.Version.After(s.Guard)
	switch {
	case rec.Version == held.Version && rec.Deleted == held.Deleted && firm: // a floor may be at the version of another key's write
	case rec.Version.After(held.Version) && free:
		rec.Ballot = own.Ballot // it stays this replica's own
		if rec.Derived = rec.Derived || req.Op == wire.OpAccept; req.Op == wire.OpWrite {
			rec.Derived, rec.Origin = false, record.Version{}
		}
		b.r.accepted.forget(req.Key)
		b.r.pasts.note(req.Key, own.Version, held.Version, tenure{rec.Version, req.Config.Generation + 1})
		b.stage(it, rec)
	case req.Op == wire.OpWrite && req.Queried && held.Version.After(rec.Version) && !held.Derived && firm && free:
	default:
		it.answer = superseded(held.Version, own.Ballot, s.Guard)
		if req.Op == wire.OpWrite {
			it.answer.Had = b.r.pasts.had(rec.Version, own, s.Guard, req.Config.Generation)
		}
	}
}

// prepare promises to take nothing below the ballot any more, and answers what is held: what is accepted under the ballot is
// derived from that.
func (b *batch) prepare(it *item) {
	req, s := it.req, b.state(it.slot)
	own, err := b.held(it, req.Key, true)
	if err != nil {
		it.answer = unreadable(err)
		return
	}
	held, virtual := seen(own, s.Floor)
	if b.tooFarAhead(it, req.Ballot, later(req.Base, later(later(held.Version, own.Ballot), s.Guard))) {
		return
	}
	if !req.Ballot.After(held.Version) || own.Ballot.After(req.Ballot) || !req.Ballot.After(s.Guard) {
		it.answer = superseded(held.Version, own.Ballot, s.Guard)
		return
	}
	firm := b.r.accepted.firm(req.Key, held.Version, own.Ballot, req.Config.Generation)
	if firm {
		b.r.accepted.note(req.Key, held.Version, req.Config.Generation)
	}
	if req.Ballot.After(own.Ballot) {
		own.Ballot = req.Ballot
		b.stage(it, own)
	}
	held.Ballot = record.Version{}
	it.answer = wire.Response{Status: wire.OK, Record: held, Virtual: virtual, Firm: firm}
}

// superseded refuses a version, and names what a later one must be above.
func superseded(version, ballot, guard record.Version) wire.Response {
	return wire.Response{Status: wire.Superseded, Version: later(later(version, ballot), guard), Detail: "holds a newer version, or has promised one"}
}

// tooFarAhead refuses a version that lies too far ahead of this node's clock and of base.
func (b *batch) tooFarAhead(it *item, v, base record.Version) bool {
	if !record.TooFarAhead(v, base, b.r.opt.Now(), b.r.opt.MaxSkew) {
		return false
	}
	b.r.opt.Metrics.tooFarAhead()
	it.answer = wire.Response{Status: wire.TooFarAhead, Detail: "finds the version too far ahead of its clock: set the clocks right, or raise -max-clock-skew"}
	return true
}

package coordinator

import (
	"errors"

	"ringkv/hashring/placement"
	"ringkv/node/record"
	"ringkv/node/wire"
)

// A ballot is a version that a majority of the owners of one config have promised to take nothing below of. What is accepted under it must be
// derived from what they held then; so all that has been chosen before, or can still be, is known to whoever decides (Paxos, one for
// each key).
type ballot struct {
	version record.Version
	base    record.Version // what it was made to follow
	config  *placement.Config
	found   found
}

// prepare gets a ballot, however many it takes. Errors are *Error.
func (o *operation) prepare() (*ballot, error) {
	for {
		b, err := o.prepareOnce()
		if err != errAgain {
			return b, err
		}
	}
}

// prepareOnce asks all owners that pass to promise a ballot, and returns once a majority has. Those that refuse for the moment are asked again
// while others are slow.
func (o *operation) prepareOnce() (*ballot, error) {
	o.c.opt.Metrics.prepared()
	need := majority(len(o.owners)) // meets every other majority, and every write quorum
	b := &ballot{version: o.c.clock.Next(o.above), base: o.above, config: o.config}
	candidates := o.candidates()
	if len(candidates) < need {
		return nil, o.failure(ErrQuorumUnavailable, true, len(candidates), need, "could be asked")
	}
	p := &preparing{round: o.round(), again: candidates}
	defer p.end()
	req := &wire.Request{Op: wire.OpPrepare, Config: b.config, Key: o.key, Ballot: b.version, Base: b.base}
	p.sendAgain(req)
	for p.found.answers < need {
		if p.pending == 0 || p.beaten > len(o.owners)-need {
			return nil, p.missed(need)
		}
		r, event := p.next()
		switch event {
		case replied:
			if err := p.take(r); err != nil {
				return nil, err
			}
		case slow:
			if p.inTime() {
				p.sendAgain(req)
			}
		case over:
			return nil, p.late(need)
		}
	}
	b.found = p.found
	o.above = later(later(o.above, b.version), b.found.above)
	return b, nil
}

// preparing is one round of asking for one ballot.
type preparing struct {
	*round
	again      []placement.Owner // to be asked: at first all, then those that refused for the moment
	found      found
	beaten     int // so many have promised a later one, or hold something newer
	overloaded bool
}

func (p *preparing) sendAgain(req *wire.Request) {
	for _, owner := range p.again {
		p.send(owner, req)
	}
	p.again = nil
}

// take counts one reply.
func (p *preparing) take(r wire.Reply) error {
	status := r.Response.Status
	switch {
	case r.Err == nil && status == wire.OK:
		p.found.add(r.Node, &r.Response, true)
		return nil
	case r.Err == nil && status == wire.Stale:
		return p.o.follow(r.Response.Config)
	case r.Err == nil && status == wire.Superseded:
		p.o.c.clock.Observe(r.Response.Version)
		p.o.above = later(p.o.above, r.Response.Version)
		p.beaten++
	case r.Err == nil && status == wire.Overloaded: // trying again would add to the load
		p.overloaded = true
	default:
		p.again = p.o.appendOwner(p.again, r.Node)
	}
	p.o.noteReply(r)
	return nil
}

// missed ends a round that can't get a majority: with another try, under a higher ballot, while there is time for one.
func (p *preparing) missed(need int) error {
	if !p.overloaded {
		if err := p.o.retry(); err != errTimeUp {
			return err
		}
	}
	return p.late(need)
}

func (p *preparing) late(need int) error {
	sentinel := ErrQuorumUnavailable
	if p.overloaded {
		sentinel = ErrOverloaded
	}
	return p.o.failure(sentinel, true, p.found.answers, need, "promised to wait for this request")
}

// accepting brings rec to the owners under the ballot.
func (o *operation) accepting(b *ballot, rec record.Record) *storing {
	rec.Key, rec.Version, rec.Derived = o.key, b.version, true
	return &storing{o: o, op: wire.OpAccept, rec: rec, base: later(b.base, b.found.above)}
}

// again is what the ballot found, to be stored once more. Clients go on knowing it by the version that it had.
func (b *ballot) again() record.Record {
	rec := b.found.record
	rec.Origin = rec.Known()
	if rec.Deleted = !rec.Exists(); rec.Deleted {
		rec.Type, rec.Value = "", nil
	}
	return rec
}

// confirm stores once more what the ballot found. It changes nothing for clients, and so may fail, and be tried again under another ballot, however often.
// errAgain asks for that.
func (o *operation) confirm(b *ballot) (record.Record, error) {
	s := o.accepting(b, b.again())
	s.free = true
	err := s.once()
	if err == errBeaten {
		o.above = later(o.above, s.above)
		err = o.retry()
	}
	if err == errTimeUp {
		err = o.failure(ErrQuorumUnavailable, true, len(s.holders), o.w, "hold the newest value")
	}
	return s.rec, err
}

// readByBallot returns what a ballot finds, once W owners have accepted it under that ballot. It ends in spite of writes and half-done writes that
// keep a plain read from ending; compare-and-sets that are under way have to begin again. Errors are *Error.
func (o *operation) readByBallot() (record.Record, error) {
	for {
		b, err := o.prepare()
		if err != nil {
			return record.Record{}, err
		}
		rec, err := o.confirm(b)
		if err != errAgain {
			return rec, err
		}
	}
}

// isError reports whether err is an *Error, and so the end of an operation.
func isError(err error) bool {
	var e *Error
	return errors.As(err, &e)
}

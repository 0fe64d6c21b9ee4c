package coordinator

import (
	"errors"
	"slices"

	"ringkv/hashring/placement"
	"ringkv/node/record"
	"ringkv/node/wire"
)

// storing brings one record to W owners of one config.
type storing struct {
	o    *operation
	op   wire.Op
	free bool // it changes nothing for clients: what becomes of a copy needs no answer
	rec  record.Record
	base record.Version // the newest version known when rec's was made

	queried bool // that was after enough owners had been asked for one
	earlier bool // the record may lie somewhere under an earlier version, where nobody will see it

	holders    []string          // owners of the present config that hold it; copies in earlier configs don't count
	beaten     []string          // owners of the present config that refuse it for good: something newer stands there
	never      int               // so many of them never held it either
	elsewhere  int               // copies that are in earlier configs, or may be
	above      record.Version    // what stands there
	moved      *placement.Config // a later config that one of them has promised, where that ends it
	stored     int               // copies that are known to be on a disk, in any config
	doubtful   int               // copies that may be, or may get there yet
	full       []string          // owners without room on their disks, in the present round
	overloaded bool
	again      []placement.Owner // to be sent to: at first all, then those that refused
}

// errBeaten says that W owners will never hold the record in this config, for something newer stands at too many.
var errBeaten = errors.New("something newer is held, or has been promised")

// once sends the record to every owner that passes and doesn't hold it yet, and returns nil as soon as W hold it. The
// others are neither waited for nor called back. While some say nothing, those that refused are asked again. errAgain: too
// few, and another try may do better; errBeaten: none will, and all that was sent is answered, unless s is free or hidden.
func (s *storing) once() error {
	targets := s.targets()
	switch {
	case s.lost():
		return errBeaten
	case len(s.holders)+len(targets) < s.o.w:
		return errTimeUp
	}
	s.overloaded, s.full, s.again = false, nil, targets
	req := &wire.Request{Op: s.op, Config: s.o.config, Key: s.rec.Key, Record: s.rec, Base: s.base, Queried: s.queried}
	r := s.o.round()
	defer r.end()
	s.send(r, req)
	for len(s.holders) < s.o.w {
		switch {
		case s.hidden():
			s.doubtful += r.pending
			return errBeaten
		case s.lost() && (r.pending == 0 || s.free):
			return errBeaten
		case r.pending == 0:
			return s.missed()
		}
		reply, event := r.next()
		switch {
		case event == over:
			s.doubtful += r.pending
			return errTimeUp
		case event == slow && len(s.beaten) > 0 && s.free: // the newer one is to be read
			return errBeaten
		case event == slow:
			if r.inTime() && !s.lost() { // else one more copy would be in doubt, for nothing
				s.send(r, req)
			}
		case reply.Err == nil && reply.Response.Status == wire.Stale && (s.free || s.op != wire.OpAccept):
			s.doubtful += r.pending
			s.leave()
			return s.o.follow(reply.Response.Config)
		default:
			s.take(reply)
		}
	}
	return nil
}

// send sends the request to those that it is to be sent to, again or for the first time.
func (s *storing) send(r *round, req *wire.Request) {
	owners := s.again
	s.again = nil
	for _, owner := range owners {
		r.send(owner, req)
	}
}

func (s *storing) targets() []placement.Owner {
	return slices.DeleteFunc(s.o.candidates(), func(owner placement.Owner) bool {
		return slices.Contains(s.holders, owner.ID) || slices.Contains(s.beaten, owner.ID)
	})
}

// lost reports whether so many owners refuse the record for good that W can't hold it in this config.
func (s *storing) lost() bool { return len(s.beaten) > len(s.o.owners)-s.o.w }

// leave gives up what owners of one config have answered, to go on in another: it counts for nothing there.
func (s *storing) leave() {
	s.holders, s.beaten, s.never = nil, nil, 0
	s.elsewhere = s.stored + s.doubtful
}

// take counts one owner's reply.
func (s *storing) take(r wire.Reply) {
	switch {
	case r.Err == nil && r.Response.Status == wire.OK:
		s.holders = append(s.holders, r.Node)
		s.stored++
		return
	case mayBeStored(r):
		s.doubtful++
	case r.Response.Status == wire.Superseded:
		s.superseded(r)
		return
	case r.Response.Status == wire.Stale: // the ballot counts in its own config only
		s.moved = r.Response.Config
		s.beaten = append(s.beaten, r.Node)
		return
	case r.Response.Status == wire.Full && !slices.Contains(s.full, r.Node): // it may have been asked again
		s.full = append(s.full, r.Node)
	case r.Response.Status == wire.Overloaded:
		s.overloaded = true
	}
	if r.Err == nil && r.Response.Status != wire.Overloaded { // asking first would add to the load
		s.o.c.refusers.note(r.Node, wary)
	}
	s.o.noteReply(r)
	if r.Response.Status != wire.Overloaded {
		s.again = s.o.appendOwner(s.again, r.Node)
	}
}

// superseded counts one owner that holds something newer. It may have accepted this record before that: then it is one of those that W are counted of.
func (s *storing) superseded(r wire.Reply) {
	s.o.c.clock.Observe(r.Response.Version)
	s.above = later(s.above, r.Response.Version)
	if s.op == wire.OpWrite && r.Response.Had == wire.HadAccepted {
		s.holders = append(s.holders, r.Node)
		s.stored++
		return
	}
	if r.Response.Had == wire.HadNever {
		s.never++
	}
	s.beaten = append(s.beaten, r.Node)
	s.o.noteReply(r)
}

// missed ends a round in which every owner has answered and too few hold the record. A later try goes to those that
// refused, with the same version.
func (s *storing) missed() error {
	// Trying again would add to the load, and no disk gets room within a request's time.
	if s.overloaded || len(s.full) > len(s.o.owners)-s.o.w {
		return errTimeUp
	}
	config := s.o.config
	err := s.o.retry()
	if !config.Equal(s.o.config) {
		s.leave()
	}
	return err
}

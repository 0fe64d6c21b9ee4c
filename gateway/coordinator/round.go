package coordinator

import (
	"errors"
	"time"

	"ringkv/hashring/placement"
	"ringkv/node/wire"
)

// maxPause is the longest time between two tries of owners that refused, while others are still waited for.
const maxPause = 100 * time.Millisecond

// A round is requests to owners of one config, and the wait for their replies. One goroutine owns it.
type round struct {
	o       *operation
	replies chan wire.Reply // with room for one of each owner, who is asked again only after it has replied, and for errSlow
	pending int             // so many replies are still to come
	timer   *time.Timer     // puts errSlow among the replies
	pause   time.Duration   // how long it waits next time, at most
}

// errSlow is no reply, but stands among them: one channel costs less to wait for than two.
var errSlow = errors.New("replies are slow to come")

// What ends a wait in a round.
type event int

const (
	replied event = iota
	slow          // replies are slow to come: at first after HedgeAfter, then after twice as long each time
	over          // the time for the operation is up, or nobody wants its answer any more
)

// round begins one, which must be ended.
func (o *operation) round() *round {
	first := min(o.c.opt.HedgeAfter, time.Until(o.deadline))
	r, _ := o.c.rounds.Get().(*round)
	if r == nil || cap(r.replies) <= len(o.owners) {
		replies := make(chan wire.Reply, len(o.owners)+1)
		tell := func() { replies <- wire.Reply{Err: errSlow} }
		r = &round{replies: replies, timer: time.AfterFunc(first, tell)}
	} else {
		r.timer.Reset(first)
	}
	r.o, r.pause = o, o.c.opt.HedgeAfter
	return r
}

// end lets go of the replies that are still to come. Where there are none, and the timer has none to tell of, nobody else knows of the round, and another
// operation may have it.
func (r *round) end() {
	rounds := &r.o.c.rounds
	if r.timer.Stop() && r.pending == 0 {
		r.o = nil
		rounds.Put(r)
	}
}

func (r *round) send(owner placement.Owner, req *wire.Request) {
	r.pending++
	r.o.c.peers.Send(owner.ID, owner.Addr, req, r.o.deadline, r.replies)
}

// next waits for the next reply, or until something else is to be done. Only where the timer fires is the context looked at: what an operation costs once its
// client is gone is little, and waiting for that as well would cost each one more.
func (r *round) next() (wire.Reply, event) {
	if reply := <-r.replies; reply.Err != errSlow {
		r.pending--
		r.o.c.noteFetched(reply)
		return reply, replied
	}
	left := time.Until(r.o.deadline)
	if left <= 0 || r.o.ctx.Err() != nil {
		return wire.Reply{}, over
	}
	r.pause = min(2*r.pause, maxPause)
	r.timer.Reset(min(r.pause, left))
	return wire.Reply{}, slow
}

// inTime reports whether an answer to what is sent now can still come in time.
func (r *round) inTime() bool { return time.Until(r.o.deadline) > r.o.c.opt.HedgeAfter }

// appendOwner appends the owner of that id.
func (o *operation) appendOwner(to []placement.Owner, id string) []placement.Owner {
	for _, owner := range o.owners {
		if owner.ID == id {
			return append(to, owner)
		}
	}
	return to
}

package coordinator

import (
	"time"

	"ringkv/hashring/placement"
)

// maxPace is the longest time between two tries of owners that refused, while others are still waited for.
const maxPace = 100 * time.Millisecond

// A pace tells when answers have been slow to come: at first after HedgeAfter, then after twice as long each time.
type pace struct {
	timer    *time.Timer
	wait     time.Duration
	answer   time.Duration // what an answer should take at most
	deadline time.Time
}

func (o *operation) pace() *pace {
	p := &pace{wait: o.c.opt.HedgeAfter, answer: o.c.opt.HedgeAfter, deadline: o.deadline}
	p.timer = time.NewTimer(min(p.wait, time.Until(p.deadline)))
	return p
}

// next sets the timer anew after it has fired, and reports whether there is time left.
func (p *pace) next() bool {
	left := time.Until(p.deadline)
	p.wait = min(2*p.wait, maxPace)
	p.timer.Reset(min(p.wait, left))
	return left > 0
}

// time reports whether an answer to what is sent now can still come in time.
func (p *pace) time() bool { return time.Until(p.deadline) > p.answer }

func (p *pace) stop() { p.timer.Stop() }

// appendOwner appends the owner of that id.
func (o *operation) appendOwner(to []placement.Owner, id string) []placement.Owner {
	for _, owner := range o.owners {
		if owner.ID == id {
			return append(to, owner)
		}
	}
	return to
}

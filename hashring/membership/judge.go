package membership

import (
	"slices"
	"time"

	"ringkv/hashring/following"
)

// A verdict is what to do with an answer.
type verdict int

const (
	backwards  verdict = iota // below the index waited for: discard, ask afresh
	unmoved                   // the index waited for: the wait ran out, the body says nothing
	same                      // the members that are known
	credible                  // other members
	suspicious                // fewer, in a way that has to be confirmed
)

// known is what an answer is held against.
type known struct {
	have      *Snapshot // nil while nothing is known
	left      departures
	unsettled bool // the watch was interrupted, so short a time ago that Consul may not know them all again
}

// judge decides about an answer with index got, to a question that waited for another index (0 if it didn't wait),
// which says that next (sorted) are the members.
func (k known) judge(waited, got uint64, next []Member) verdict {
	index, news := following.Next(waited, got)
	switch {
	case index == 0:
		return backwards
	case !news:
		return unmoved
	case k.have == nil:
		return credible
	case slices.Equal(k.have.Members, next):
		return same
	case k.unsettled && len(missing(k.have.Members, next)) > 0:
		return suspicious // a Consul that was away has nodes to hear of yet, and the checks of all of them begin anew
	case k.left.shrinks(k.have.Members, next):
		return suspicious
	}
	return credible
}

// departures remembers who left and when, for a few seconds: an agent that restarts may take its nodes out one by one.
type departures map[string]time.Time

// shrinks reports whether going from have to next leaves nobody, or is more than one node and more than half of those
// that stood there lately.
func (d departures) shrinks(have, next []Member) bool {
	removed := len(missing(have, next))
	if removed == 0 {
		return false
	}
	total := len(have)
	for id := range d {
		if !contains(have, id) {
			total++
			if !contains(next, id) {
				removed++
			}
		}
	}
	return len(next) == 0 || removed > 1 && 2*removed > total
}

// note records what a change takes out, and forgets what left before the window.
func (d departures) note(have, next []Member, now time.Time) {
	d.forget(now)
	for _, m := range missing(have, next) {
		d[m.ID] = now
	}
}

func (d departures) forget(now time.Time) {
	for id, at := range d {
		if now.Sub(at) > shrinkWindow {
			delete(d, id)
		}
	}
}

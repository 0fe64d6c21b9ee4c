package simulation

import (
	"math/rand/v2"
	"time"

	"ringkv/hashring"
	"ringkv/node/wire"
)

// overhear breaks something at moments that matter and hardly ever come by themselves, some times in a run.
func (w *world) overhear(from string, req *wire.Request) {
	w.mu.Lock()
	defer w.mu.Unlock()
	var then func(w *world, rng *rand.Rand, from string, req *wire.Request)
	switch {
	case !w.disturbed || w.overheard >= 20:
		return
	case req.Op == wire.OpSlot && w.plan.collect < 5*time.Second && w.trace.slots[req.Slot]:
		then = comeLate
	case req.Op == wire.OpPrepare && from[0] == 'g':
		then = interrupt
	default:
		return
	}
	if w.ears.IntN(8) > 0 {
		return
	}
	w.overheard++
	own := fork(w.ears)
	w.faults.Go(func() { then(w, own, from, req) })
}

// comeLate writes keys of a slot whose owners compare what they hold, and are about to collect tombstones, through a gateway that has seen nothing new for long and
// whose clock is slow. Another owner hears late of what is collected.
func comeLate(w *world, rng *rand.Rand, from string, req *wire.Request) {
	g := w.gateways[len(w.gateways)-1]
	slow := pick(rng, 0, 2*time.Millisecond, 10*time.Millisecond)
	late := pick(rng, 0, 20*time.Millisecond, 300*time.Millisecond)
	to := w.nodes[rng.IntN(len(w.nodes))].name
	set := func(slow, late time.Duration) {
		for _, n := range w.nodes {
			w.net.set(g.name, n.name, func(l *link) { l.slow = slow })
		}
		w.net.set(from, to, func(l *link) { l.slow = late })
	}
	set(slow, late)
	for _, key := range w.plan.keys {
		if hashring.SlotOf(key) != req.Slot {
			continue
		}
		for user := range 1 + rng.IntN(3) {
			own := fork(rng)
			w.faults.Go(func() {
				time.Sleep(exponential(own, 4*time.Millisecond))
				if t := g.target(); t != nil {
					w.operateThrough(t, own, user, w.serial(), key)
				}
			})
		}
	}
	time.Sleep(exponential(rng, 200*time.Millisecond))
	set(0, 0)
	w.crowd(rng, w.plan.keys[rng.IntN(len(w.plan.keys))])
}

// interrupt cuts a gateway off from all nodes but one after it has prepared a ballot, so that what it derives comes to that one alone, and takes that away; then
// the others are asked, in another config as a rule.
func interrupt(w *world, rng *rand.Rand, from string, req *wire.Request) {
	d, _ := w.consul.stored()
	if d == nil {
		return
	}
	history := d.History(hashring.SlotOf(req.Key))
	owners := history[len(history)-1].Owners
	order := rng.Perm(len(owners))
	var one *node
	set := func(cut bool) {
		for _, n := range w.nodes {
			if n != one {
				w.net.set(from, n.name, func(l *link) { l.cut, l.known = cut, false })
			}
		}
	}
	for _, n := range w.nodes {
		if n.identity() == owners[order[0]] {
			one = n
		}
	}
	set(true)
	time.Sleep(2*time.Millisecond + exponential(rng, 3*time.Millisecond))
	back := func() {}
	if one != nil && rng.IntN(4) > 0 {
		back = w.away(rng, one)
	}
	if rng.IntN(4) > 0 {
		w.placeWithout(owners[order[len(order)-1]])
	}
	set(false)
	w.crowd(rng, req.Key)
	time.Sleep(exponential(rng, pick(rng, 5*time.Millisecond, 100*time.Millisecond, time.Second)))
	w.crowd(rng, req.Key)
	back()
	time.Sleep(checked + exponential(rng, 200*time.Millisecond))
	w.crowd(rng, req.Key)
}

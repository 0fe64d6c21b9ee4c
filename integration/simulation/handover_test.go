package simulation

import (
	"math/rand/v2"
	"time"

	"ringkv/hashring"
	"ringkv/hashring/placement"
)

// handOver takes a slot from one of its owners while others are away, and lets those who have taken it over go away when these come
// back: what was acknowledged passes through few hands. Crowds are at one of its keys all the while.
func handOver(w *world, rng *rand.Rand) {
	d, _ := w.consul.stored()
	if d == nil {
		return
	}
	key := w.freshest(rng)
	history := d.History(hashring.SlotOf(key))
	owners := history[len(history)-1].Owners
	if len(owners) < 2 {
		return
	}
	order := rng.Perm(len(owners))
	leaver := owners[order[0]]
	if rng.IntN(2) == 0 {
		defer w.roughen(rng)()
	}
	w.crowd(rng, key)
	var first, second []func()
	for _, n := range w.nodes {
		switch n.identity() {
		case leaver:
		case owners[order[1]]:
			defer func() {
				for _, back := range second {
					back()
				}
				w.crowd(rng, key)
			}()
		default:
			if rng.IntN(4) > 0 {
				first = append(first, w.away(rng, n))
			}
		}
	}
	w.crowd(rng, key)
	time.Sleep(exponential(rng, pick(rng, 5*time.Millisecond, 50*time.Millisecond, 500*time.Millisecond)))
	w.placeWithout(leaver)
	if rng.IntN(2) == 0 {
		w.crowd(rng, key)
	}
	if rng.IntN(2) == 0 {
		w.awaitSettled(owners[order[1]], hashring.SlotOf(key))
		time.Sleep(w.plan.upkeep * 2 / 5) // what is left over is looked after by then
	}
	time.Sleep(exponential(rng, pick(rng, 5*time.Millisecond, 300*time.Millisecond, w.plan.upkeep/2)))
	for _, n := range w.nodes {
		if n.identity() == owners[order[1]] && rng.IntN(3) > 0 {
			second = append(second, w.away(rng, n))
		}
	}
	for _, back := range first {
		back()
		time.Sleep(exponential(rng, 5*time.Millisecond))
	}
	w.crowd(rng, key)
	time.Sleep(checked + exponential(rng, pick(rng, 50*time.Millisecond, 500*time.Millisecond, 2*time.Second)))
	w.crowd(rng, key)
	time.Sleep(exponential(rng, 50*time.Millisecond))
	w.crowd(rng, key)
}

// checked is when a node that is back has passed its check, as a rule.
const checked = 700 * time.Millisecond

// awaitSettled waits until the node of this identity has settled the slot, not for long.
func (w *world) awaitSettled(identity string, slot int) {
	for range 100 {
		time.Sleep(30 * time.Millisecond)
		for _, n := range w.nodes {
			if parts := n.look(); n.identity() == identity && parts != nil && parts.data.SlotState(slot) == "settled" {
				return
			}
		}
	}
}

// placeWithout writes the next placement, without one of the nodes of the last, and with all that run and are not in it.
func (w *world) placeWithout(identity string) {
	d, modified := w.consul.stored()
	if d == nil || !w.newest(d) {
		return
	}
	var nodes []placement.Node
	for _, n := range w.nodes {
		m := n.member()
		if id := n.identity(); id != identity && !d.Departed(id) && (d.Has(n.name, n.diskID()) || n.up()) {
			nodes = append(nodes, placement.Node{ID: m.ID, Weight: m.Weight, Disk: m.Disk})
		}
	}
	if len(nodes) < replicas {
		return
	}
	w.place(d, modified, nodes)
}

// newest reports whether no later placement than d was ever written: nobody may build on another.
func (w *world) newest(d *placement.Document) bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	return d.Generation == w.highest
}

// place writes the placement that follows d, as an operator may.
func (w *world) place(d *placement.Document, modified uint64, nodes []placement.Node) {
	next, err := placement.Next(d, nodes, "an operator wants it")
	if err != nil {
		w.fail("no next placement: %v", err)
		return
	}
	value, err := next.Encode()
	if err != nil {
		w.fail("no next placement: %v", err)
		return
	}
	w.consul.put(value, modified)
}

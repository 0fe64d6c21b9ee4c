package hashring

import (
	"container/heap"
	"math"
	"math/bits"
)

// A wish is a node's wish to own a slot.
type wish struct {
	place uint64 // among the node's wishes, in units: between k and k+1 where k others come first
	slot  int
	node  int32 // index in the members sorted by id
}

// A drafter is a node that takes part in a draft.
type drafter struct {
	seed  uint64
	node  int32
	quota uint64 // its fair share of the slots, in units; at least 1
	limit int    // how many slots it may have
	taken int    // how many it has

	next wish
	at   uint64 // when it utters next
}

// A draft hands slots out: each node utters its wishes one after the other, at its own pace, and gets what it wishes for
// where that is still to be had, until it has as many slots as it may.
//
// The result is the stable matching of slots and nodes in which both sides prefer the earlier wish (Gale, Shapley: College
// admissions and the stability of marriage, 1962). It is the only one, and changes little when a node comes or goes.
type draft struct {
	drafters []drafter
	taste    func(seed uint64, k int) (slot int, place uint64) // wish k
	queue    []*drafter                                        // heap: who utters the next wish
}

// run lets all utter their wishes from the first one on, until open of them were granted or nobody may have more. It
// returns how many were granted.
func (d *draft) run(open int, grant func(wish) bool) int {
	d.queue = d.queue[:0]
	for i := range d.drafters {
		if p := &d.drafters[i]; p.taken < p.limit {
			d.schedule(p, 0)
			d.queue = append(d.queue, p)
		}
	}
	heap.Init(d)
	granted := 0
	for granted < open && len(d.queue) > 0 {
		p := d.queue[0]
		if grant(p.next) {
			p.taken++
			granted++
		}
		said := int(p.next.place/unit) + 1
		if p.taken == p.limit || said == Slots {
			heap.Pop(d)
			continue
		}
		d.schedule(p, said)
		heap.Fix(d, 0)
	}
	return granted
}

// raise lets every node have more. It's for slots that were left over: all nodes that could own them had what they might,
// which happens where zones or weights are uneven.
func (d *draft) raise() {
	for i := range d.drafters {
		p := &d.drafters[i]
		p.limit = min(Slots, p.limit+1+p.limit/16)
	}
}

// schedule says when p utters its wish k: at odds(place) / odds(quota), both as parts of all slots, by which the part of
// the slots that p gets comes out as its quota (Rosén: On sampling with probability proportional to size, 1997).
func (d *draft) schedule(p *drafter, k int) {
	slot, place := d.taste(p.seed, k)
	p.next = wish{place: place, slot: slot, node: p.node}
	p.at = math.MaxUint64
	high, low := bits.Mul64(place*(Slots*unit-p.quota), 1<<40)
	if odds := (Slots*unit - place) * p.quota; high < odds {
		p.at, _ = bits.Div64(high, low, odds)
	}
}

func (d *draft) Len() int { return len(d.queue) }

func (d *draft) Less(i, j int) bool {
	p, q := d.queue[i], d.queue[j]
	return p.at < q.at || p.at == q.at && p.node < q.node
}

func (d *draft) Swap(i, j int) { d.queue[i], d.queue[j] = d.queue[j], d.queue[i] }

func (d *draft) Push(p any) { d.queue = append(d.queue, p.(*drafter)) }

func (d *draft) Pop() any {
	last := len(d.queue) - 1
	p := d.queue[last]
	d.queue = d.queue[:last]
	return p
}

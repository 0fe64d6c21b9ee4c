package simulation

import (
	"fmt"
	"math/rand/v2"
	"time"

	"ringkv/hashring"
)

const (
	opsPerKey = 84 // of users; what the judge reads and writes comes on top, within oracle.MaxLinearOps
	users     = 7
)

// A plan is what kind of run it is. Each run has some kinds of faults and not others, since faults can hide each other
// (Groce et al., "Swarm Testing", ISSTA 2012).
type plan struct {
	nodes, first int // machines for nodes, and how many of them start at once
	gateways     int
	keys         []string
	mix          mix
	pace         time.Duration // mean, from one operation of a user to the next while something happens
	early        bool          // faults begin before there is a placement
	length       time.Duration // of the faults
	between      time.Duration // mean, from one fault to the next
	kinds        []kind
	moves        int // placements that an operator may write

	slots     map[int]bool  // that the run has; nil for all
	bulk      time.Duration // mean, of what a page of a slot takes longer: there is much to move
	lose      float64       // share of messages
	late      float64       // share of messages that take a second longer
	slow      time.Duration // mean of what messages take longer
	lag       time.Duration // mean, until clients see what is new in Consul
	sync      time.Duration // mean, of half a write to the disk
	segment   int64
	timeout   time.Duration // of operations
	rebalance time.Duration
	upkeep    time.Duration // from one round to the next
	collect   time.Duration // age of the tombstones that are given up
	skew      time.Duration // of clocks at the start, at most
	ahead     time.Duration // of the first gateway's clock, besides
	behind    time.Duration // of the last gateway's clock, besides
}

// A mix says how many of twenty operations are of which kind; the others are reads.
type mix struct{ deletes, swaps, puts int }

func newPlan(rng *rand.Rand) *plan {
	p := &plan{
		nodes:    4 + rng.IntN(2),
		gateways: 3,
		early:    rng.IntN(4) == 0,
		length:   time.Duration(15+rng.IntN(20)) * time.Second,
		between:  pick(rng, 300*time.Millisecond, time.Second, 2*time.Second),
		moves:    2 + rng.IntN(6),
		mix:      pick(rng, mix{2, 3, 6}, mix{1, 8, 5}, mix{6, 2, 6}),
		pace:     pick(rng, 500*time.Microsecond, 3*time.Millisecond, 10*time.Millisecond),

		bulk:      pick(rng, 0, 50*time.Millisecond, time.Second),
		lose:      pick(rng, 0, 0, 0.01, 0.1),
		late:      pick(rng, 0, 0, 0.01, 0.05),
		slow:      pick(rng, 0, 0, time.Millisecond, 10*time.Millisecond),
		lag:       pick(rng, time.Millisecond, time.Millisecond, 50*time.Millisecond, time.Second),
		sync:      pick(rng, 20*time.Microsecond, 200*time.Microsecond, 2*time.Millisecond),
		segment:   pick[int64](rng, 0, 16<<10, 256<<10),
		timeout:   pick(rng, 300*time.Millisecond, time.Second, 2*time.Second),
		rebalance: pick(rng, 0, 4*time.Second, 10*time.Second),
		upkeep:    pick(rng, time.Second, 3*time.Second, 20*time.Second),
		collect:   pick(rng, time.Second, time.Second, 3*time.Second, 10*time.Minute),
		skew:      pick(rng, 0, 100*time.Millisecond, 2*time.Second),
		ahead:     pick(rng, 0, 100*time.Millisecond, 2*time.Second),
		behind:    pick(rng, 0, 3*time.Second, 15*time.Second),
	}
	p.first = p.nodes - rng.IntN(2)
	for _, k := range kinds {
		if rng.IntN(5) < 2 {
			p.kinds = append(p.kinds, k)
		}
	}
	if rng.IntN(4) > 0 {
		p.kinds = append(p.kinds, storms...)
	}
	p.keys = chooseKeys(rng, pick(rng, 0, 3, 6))
	if rng.IntN(50) == 0 {
		p.bulk = 0 // the slots are all there, and take the time that they take
	} else {
		p.slots = map[int]bool{}
		for _, key := range p.keys {
			p.slots[hashring.SlotOf(key)] = true
		}
	}
	return p
}

// has reports whether the run has the slot. Most runs have few, as they all are alike, and a thousand of them cost a thousand times as much.
func (p *plan) has(slot int) bool { return p.slots == nil || p.slots[slot] }

func pick[T any](rng *rand.Rand, of ...T) T { return of[rng.IntN(len(of))] }

// chooseKeys returns four keys, of which two share a slot, and some more of each of the three slots.
func chooseKeys(rng *rand.Rand, more int) (keys []string) {
	bySlot := map[int][]string{}
	var first []int // slots, in the order in which they were found
	for i := rng.IntN(100_000); len(keys) == 0; i++ {
		key := fmt.Sprint("k", i)
		slot := hashring.SlotOf(key)
		if bySlot[slot] = append(bySlot[slot], key); len(bySlot[slot]) == 1 && len(first) < 2 {
			first = append(first, slot)
		}
		if len(bySlot[slot]) == 2+more && slot != first[0] && slot != first[1] {
			keys = append(bySlot[slot], bySlot[first[0]]...)
			keys = append(keys, bySlot[first[1]]...)
		}
	}
	return keys
}

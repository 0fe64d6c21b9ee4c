// Package hashring says which nodes should hold a key. The 64-bit hash circle is cut into Slots equal arcs, and a Ring is
// a table from slot to owners. The table is a pure function of the ring's members: whoever builds it from the same ones
// has the same one, without talking. The package does no I/O.
package hashring

import (
	"slices"
	"strings"

	"github.com/cespare/xxhash/v2"
)

// SlotOf returns the slot of key, from 0 to Slots-1: the top bits of its xxHash64, seed 0. It allocates nothing.
func SlotOf(key string) int { return int(xxhash.Sum64String(key) >> (64 - slotBits)) }

// A Ring holds the owners of every slot. It is immutable, and safe for concurrent use.
type Ring struct {
	members  []Member // sorted by ID
	replicas int
	owners   [Slots][]string
	counts   []int // slots owned by each member
}

// New builds the ring of members, given in any order, that keeps each slot on that many of them; on all of them where
// there are fewer. No members make a ring without owners. It returns an error when replicas is below 1, when a weight is
// out of bounds, and when an id is empty or there twice.
func New(members []Member, replicas int) (*Ring, error) {
	sorted := slices.Clone(members)
	slices.SortFunc(sorted, byID)
	if err := check(sorted, replicas); err != nil {
		return nil, err
	}
	r := &Ring{members: sorted, replicas: replicas, counts: make([]int, len(sorted))}
	if len(sorted) > 0 {
		r.fill(assign(sorted, min(replicas, len(sorted))))
	}
	return r, nil
}

// fill enters the owners of every slot.
func (r *Ring) fill(owners [][]wish) {
	var ids []string
	for slot, wishes := range owners {
		first := len(ids)
		for _, w := range wishes {
			ids = append(ids, r.members[w.node].ID)
			r.counts[w.node]++
		}
		r.owners[slot] = ids[first:len(ids):len(ids)]
	}
}

// Owners returns the ids of the nodes that should hold slot, in ring order: the one that leads is first. They are distinct,
// and the same slice for all callers: it must not be changed. It allocates nothing, and panics where slot is not one of 0
// to Slots-1.
func (r *Ring) Owners(slot int) []string { return r.owners[slot] }

// Members returns the members, sorted by ID.
func (r *Ring) Members() []Member { return slices.Clone(r.members) }

// Replicas returns how many owners each slot has where there are at least as many members.
func (r *Ring) Replicas() int { return r.replicas }

// Count returns how many slots the member called id owns; 0 where it is none.
func (r *Ring) Count(id string) int {
	i, ok := slices.BinarySearchFunc(r.members, id, func(m Member, id string) int { return strings.Compare(m.ID, id) })
	if !ok {
		return 0
	}
	return r.counts[i]
}

// Share returns the part of all copies of slots that the member called id holds, from 0 to 1. The shares of all members
// add up to 1.
func (r *Ring) Share(id string) float64 {
	return float64(r.Count(id)) / float64(Slots*max(1, min(r.replicas, len(r.members))))
}

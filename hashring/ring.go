// Package hashring says which nodes should hold a key. The 64-bit hash circle is cut into Slots equal arcs; a Ring is a
// table from slot to owners, and a pure function of its members: whoever builds it from the same ones gets the same
// table, without talking. The package does no I/O.
package hashring

import (
	"fmt"
	"slices"
	"strings"

	"github.com/cespare/xxhash/v2"
)

// slotShift leaves of a 64-bit hash the top bits that number a slot: an equal arc of the circle.
const slotShift = 64 - 10

// SlotOf returns the slot of key, from 0 to Slots-1: the top bits of its xxHash64. It allocates nothing.
func SlotOf(key string) int { return int(xxhash.Sum64String(key) >> slotShift) }

// A Ring holds the owners of every slot. It is immutable, and safe for concurrent use.
type Ring struct {
	members  []Member // sorted by ID
	replicas int
	owners   [Slots][]string
	counts   []int // slots owned, by index in members
}

// New builds the ring of members, in any order, that keeps each slot on that many replicas, or on all members where
// there are fewer. It returns an error when replicas or a weight is below 1, and when an id is empty or given twice.
// No members are a ring without owners.
func New(members []Member, replicas int) (*Ring, error) {
	sorted := slices.Clone(members)
	slices.SortFunc(sorted, func(a, b Member) int { return strings.Compare(a.ID, b.ID) })
	if err := check(sorted, replicas); err != nil {
		return nil, err
	}
	r := &Ring{members: sorted, replicas: replicas, counts: make([]int, len(sorted))}
	r.fill(assign(sorted, min(replicas, len(sorted))))
	return r, nil
}

// check reports what makes sorted no ring.
func check(sorted []Member, replicas int) error {
	if replicas < 1 {
		return fmt.Errorf("ring: replicas is %d, must be at least 1", replicas)
	}
	for i, m := range sorted {
		switch {
		case m.ID == "":
			return fmt.Errorf("ring: a member has no id")
		case m.Weight < 1:
			return fmt.Errorf("ring: weight of %s is %d, must be at least 1", m.ID, m.Weight)
		case i > 0 && sorted[i-1].ID == m.ID:
			return fmt.Errorf("ring: two members have the id %s: ids must be distinct", m.ID)
		}
	}
	return nil
}

// fill turns the assignment's indexes into ids.
func (r *Ring) fill(assigned [][]int32) {
	for slot, owners := range assigned {
		ids := make([]string, len(owners))
		for i, m := range owners {
			ids[i] = r.members[m].ID
			r.counts[m]++
		}
		r.owners[slot] = ids
	}
}

// Owners returns the ids of the nodes that should hold slot, in ring order: the first is asked first. They are
// distinct, and shared by all callers: read only. It panics where slot is not in 0 to Slots-1, and allocates nothing.
func (r *Ring) Owners(slot int) []string { return r.owners[slot] }

// Members returns a copy of the members, sorted by ID.
func (r *Ring) Members() []Member { return slices.Clone(r.members) }

// Replicas returns how many owners a slot is meant to have. Where there are fewer members, it has as many as those.
func (r *Ring) Replicas() int { return r.replicas }

// Count returns how many slots the member called id owns, in any place of their order; 0 if it is no member.
func (r *Ring) Count(id string) int {
	i, ok := slices.BinarySearchFunc(r.members, id, func(m Member, id string) int { return strings.Compare(m.ID, id) })
	if !ok {
		return 0
	}
	return r.counts[i]
}

// Share returns the part of all copies that the member called id holds, from 0 to 1; over all members it adds up to 1.
func (r *Ring) Share(id string) float64 {
	if len(r.members) == 0 {
		return 0
	}
	return float64(r.Count(id)) / float64(Slots*min(r.replicas, len(r.members)))
}

package hashring

import (
	"math"

	"github.com/cespare/xxhash/v2"
)

// A table is the owners of all slots, in the making.
type table struct {
	copies int
	zones  *zones
	owners [][]wish // of each slot
	extras []int    // of each slot: owners beyond the base of their zones
}

// assign returns the owners of each slot, in ring order. Members are sorted by id, and at least as many as copies.
func assign(members []Member, copies int) [][]wish {
	t := &table{
		copies: copies,
		zones:  newZones(members, copies),
		owners: make([][]wish, Slots),
		extras: make([]int, Slots),
	}
	backing := make([]wish, Slots*copies)
	for slot := range t.owners {
		t.owners[slot], backing = backing[:0:copies], backing[copies:]
	}
	d := &draft{taste: taste}
	for i, quota := range t.zones.quotas(members) {
		seed := xxhash.Sum64String(members[i].ID)
		d.drafters = append(d.drafters, drafter{
			seed: seed, node: int32(i), quota: max(1, quota), limit: limit(quota+slack(quota), seed),
		})
	}
	for open := Slots * copies; open > 0; d.raise() {
		open -= d.run(open, t.grant)
	}
	order(members, t.owners)
	return t.owners
}

// slack returns how many slots, in units, a node may have beyond its fair share: in proportion to the root of it, since
// that is how the number of slots that it would get without limits varies, but no less than 1.27. So of 100 nodes with 3
// copies, which have 30.72 on average, none has over 32. With more slack less data moves when a node comes or goes, and the
// fullest node has more; DESIGN.md has figures.
func slack(quota uint64) uint64 {
	root := uint64(math.Sqrt(float64(quota) * unit)) // the same on all machines: IEEE 754 says how to round it
	return max(root*23, unit*127) / 100
}

// limit returns a number of slots from units: rounded up or down by the seed, so that on average it is right, and that it
// doesn't jump for all nodes at once while their number grows.
func limit(units, seed uint64) int { return int(min(Slots, (units+fraction(seed, -1))/unit)) }

// grant makes w's node an owner of its slot, unless the slot has all its copies, or one on the node, or as many in the
// node's zone as it has room for.
func (t *table) grant(w wish) bool {
	owners := t.owners[w.slot]
	if len(owners) == t.copies {
		return false
	}
	zone, same := t.zones.of[w.node], 0
	for _, o := range owners {
		if o.node == w.node {
			return false
		}
		if t.zones.of[o.node] == zone {
			same++
		}
	}
	room := t.zones.rooms[zone]
	if same >= room.base {
		if same >= room.top || t.extras[w.slot] == t.zones.extra {
			return false
		}
		t.extras[w.slot]++
	}
	t.owners[w.slot] = append(owners, w)
	return true
}

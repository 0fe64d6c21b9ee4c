package hashring

import "github.com/cespare/xxhash/v2"

// How many slots a node may have beyond its fair share. More moves less data when a node comes or goes, and loads the
// fullest node more; DESIGN.md has figures.
const (
	slackPart  = 40               // a fortieth of its fair share,
	leastSlack = unit * 127 / 100 // but no less than this: of 100 nodes with 3 copies, 30.72 on average, none has over 32
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
	d := &draft{taste: taste}
	for i, quota := range t.zones.quotas(members) {
		seed := xxhash.Sum64String(members[i].ID)
		slack := max(quota/slackPart, leastSlack)
		d.drafters = append(d.drafters, drafter{
			seed: seed, node: int32(i), quota: max(1, quota), limit: limit(quota+slack, seed),
		})
	}
	for open := Slots * copies; open > 0; d.raise() {
		open -= d.run(open, t.grant)
	}
	order(members, t.owners)
	return t.owners
}

// limit returns a number of slots from units: rounded up or down by the seed, so that on average it is right, and that it
// doesn't jump for all nodes at once while their number grows.
func limit(units, seed uint64) int { return int(min(Slots, (units+fraction(seed, -1))/unit)) }

// raise lets every node have more. It's for slots that were left over: all nodes that could own them had what they might,
// which happens where zones or weights are uneven.
func (d *draft) raise() {
	for i := range d.drafters {
		p := &d.drafters[i]
		p.limit = min(Slots, p.limit+1+p.limit/16)
	}
}

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

package hashring

// A room says how many copies of each slot go to one zone.
type room struct {
	base int // at least; for every slot
	top  int // at most; one more than base, or the same
}

// zones says how the copies of each slot are spread: in distinct zones where there are enough of them, and in all of them,
// as evenly as they have nodes for it, where there are not. Nodes without a zone are in one zone together.
type zones struct {
	of     []int32 // zone of each member
	nodes  [][]int // members of each zone
	rooms  []room
	extra  int      // copies of each slot beyond the base of their zones
	shares []uint64 // fair share of each zone, in units
}

func newZones(members []Member, copies int) *zones {
	z := &zones{of: make([]int32, len(members))}
	numbers := make(map[string]int)
	for i, m := range members {
		n, ok := numbers[m.Zone]
		if !ok {
			n = len(z.nodes)
			numbers[m.Zone] = n
			z.nodes = append(z.nodes, nil)
		}
		z.of[i] = int32(n)
		z.nodes[n] = append(z.nodes[n], i)
	}
	z.rooms = make([]room, len(z.nodes))
	z.extra = copies
	for base := 0; z.layer(base) < copies; base++ {
		z.extra = copies - z.layer(base)
	}
	z.divide(members, copies)
	return z
}

// layer sets the rooms to base copies, or as many as a zone has nodes, and one more; and returns how many copies of a slot
// find a place at the top.
func (z *zones) layer(base int) int {
	n := 0
	for i, nodes := range z.nodes {
		z.rooms[i] = room{base: min(base, len(nodes)), top: min(base+1, len(nodes))}
		n += z.rooms[i].top
	}
	return n
}

// divide finds the shares of the zones by the weight of their nodes, within their rooms. Where a zone has all that its
// room allows, or no more than the least, that is settled for every slot: it competes no more for what is extra. As many
// zones as extra copies do, at least, since none of those has a share of a whole copy.
func (z *zones) divide(members []Member, copies int) {
	claims := make([]claim, len(z.nodes))
	for i, r := range z.rooms {
		claims[i].min, claims[i].max = Slots*unit*uint64(r.base), Slots*unit*uint64(r.top)
		for _, node := range z.nodes[i] {
			claims[i].weight += uint64(members[node].Weight)
		}
	}
	divide(Slots*unit*uint64(copies), claims)
	for i, c := range claims {
		z.shares = append(z.shares, c.share)
		r := &z.rooms[i]
		switch {
		case r.base == r.top:
		case c.share == c.max:
			r.base = r.top
			z.extra--
		case c.share == c.min:
			r.top = r.base
		}
	}
}

// quotas returns the fair share of each member, in units: its part of its zone's by weight.
func (z *zones) quotas(members []Member) []uint64 {
	quotas := make([]uint64, len(members))
	for i, nodes := range z.nodes {
		claims := make([]claim, len(nodes))
		for k, node := range nodes {
			claims[k] = claim{weight: uint64(members[node].Weight), max: Slots * unit}
		}
		divide(z.shares[i], claims)
		for k, node := range nodes {
			quotas[node] = claims[k].share
		}
	}
	return quotas
}

package hashring

import (
	"cmp"
	"slices"

	"github.com/cespare/xxhash/v2"
)

// leadSlack is how many slots a node may lead beyond its share.
const leadSlack = unit / 4

// order puts the owners of each slot in ring order. The first one leads the slot; nodes lead in proportion to their
// weights, as far as they own enough. The others follow by how much they wished for it. Who owns a slot doesn't change.
func order(members []Member, owners [][]wish) {
	wishes := byWeight(members, slices.Concat(owners...))
	for slot := range owners {
		owners[slot] = owners[slot][:0]
	}
	for _, w := range wishes {
		owners[w.slot] = append(owners[w.slot], w)
	}
	left := leads(members, wishes)
	led := make([]bool, Slots)
	for _, w := range wishes {
		if !led[w.slot] && left[w.node] > 0 {
			led[w.slot] = true
			lead(owners[w.slot], w, left)
		}
	}
	for slot, all := range owners {
		if !led[slot] { // all its owners lead enough: the one that is the least over
			lead(all, slices.MaxFunc(all, func(v, w wish) int { return cmp.Compare(left[v.node], left[w.node]) }), left)
		}
	}
}

// byWeight sorts wishes by their places, those of a node with twice the weight counting half.
func byWeight(members []Member, wishes []wish) []wish {
	late := func(w wish) uint64 { return w.place * MaxWeight / uint64(members[w.node].Weight) }
	slices.SortFunc(wishes, func(v, w wish) int {
		return cmp.Or(cmp.Compare(late(v), late(w)), cmp.Compare(v.node, w.node))
	})
	return wishes
}

// leads returns how many slots each node may lead.
func leads(members []Member, wishes []wish) []int {
	claims := make([]claim, len(members))
	for i, m := range members {
		claims[i].weight = uint64(m.Weight)
	}
	for _, w := range wishes {
		claims[w.node].max += unit
	}
	divide(Slots*unit, claims)
	left := make([]int, len(members))
	for i, c := range claims {
		left[i] = limit(c.share+leadSlack, xxhash.Sum64String(members[i].ID))
	}
	return left
}

// lead moves w to the front of its slot's owners; the others keep their order.
func lead(owners []wish, w wish, left []int) {
	left[w.node]--
	i := slices.Index(owners, w)
	copy(owners[1:i+1], owners[:i])
	owners[0] = w
}

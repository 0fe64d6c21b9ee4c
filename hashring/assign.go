package hashring

import (
	"cmp"
	"math/bits"
	"slices"

	"github.com/cespare/xxhash/v2"
)

// assign returns the owners of each slot as indexes into members: highest random weight first.
func assign(members []Member, copies int) [][]int32 {
	seeds := make([]uint64, len(members))
	for i, m := range members {
		seeds[i] = xxhash.Sum64String(m.ID)
	}
	out := make([][]int32, Slots)
	scores := make([]uint64, len(members))
	order := make([]int32, len(members))
	for slot := range out {
		for i, m := range members {
			order[i] = int32(i)
			scores[i] = cost(seeds[i], slot) / uint64(m.Weight)
		}
		slices.SortFunc(order, func(a, b int32) int { return cmp.Or(cmp.Compare(scores[a], scores[b]), cmp.Compare(a, b)) })
		out[slot] = slices.Clone(order[:copies])
	}
	return out
}

// cost is how little the node of that seed wants slot: pseudo-random.
func cost(seed uint64, slot int) uint64 {
	hi, lo := bits.Mul64(seed^0x9e3779b97f4a7c15, uint64(slot)*0xd1342543de82ef95+0x2545f4914f6cdd1d)
	x := hi ^ lo
	x ^= x >> 32
	x *= 0xd6e8feb86659fd93
	return x ^ x>>32
}

package hashring

import "math/bits"

// Shares are counted in whole parts of a slot, since the rounding of floating point differs between processors, and two
// machines must build the same ring.
const (
	unit     = 1 << unitBits // one slot
	unitBits = 20
)

// A claim is somebody's claim to a part of what is shared out.
type claim struct {
	weight   uint64
	min, max uint64 // of share
	share    uint64
	settled  bool
}

// divide shares total out by weight, within each claim's bounds, between whose sums total must lie. Whoever would get less
// than its min or more than its max gets that, those first that outweigh the others, and the rest is shared out again: the
// method of CSS for flexible lengths (CSS Flexible Box Layout 1, 9.7).
func divide(total uint64, claims []claim) {
	for open := len(claims); open > 0; {
		over, under := propose(total, claims)
		for i := range claims {
			c := &claims[i]
			if c.settled || under > over && c.share > c.min || over > under && c.share < c.max {
				continue
			}
			c.share = min(max(c.share, c.min), c.max)
			c.settled = true
			open--
		}
	}
}

// propose shares out by weight what the settled claims leave, and returns by how much that is over their max or under their
// min, summed over the others.
func propose(total uint64, claims []claim) (over, under uint64) {
	var weight uint64
	rest := total
	for _, c := range claims {
		if c.settled {
			rest -= min(rest, c.share)
		} else {
			weight += c.weight
		}
	}
	for i := range claims {
		if c := &claims[i]; !c.settled {
			c.share = mulDiv(rest, c.weight, weight)
			over += max(c.share, c.max) - c.max
			under += max(c.share, c.min) - c.share
		}
	}
	return over, under
}

// mulDiv returns a*b/c, rounded down, where b is at most c.
func mulDiv(a, b, c uint64) uint64 {
	high, low := bits.Mul64(a, b)
	quotient, _ := bits.Div64(high, low, c)
	return quotient
}

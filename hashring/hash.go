package hashring

// taste returns the slot that the node with that seed wishes for after k others, and the wish's place: a random part of a
// step behind k, lest nodes of one quota speak at the same moment. Over k from 0 to Slots-1 the slots are a permutation: a
// Feistel network of four rounds over the two halves of k's bits.
func taste(seed uint64, k int) (slot int, place uint64) {
	const half = slotBits / 2
	left, right := uint64(k)>>half, uint64(k)%(1<<half)
	for i := range uint64(4) {
		left, right = right, left^mix(seed+(i+1)*golden^right<<(64-half))>>(64-half)
	}
	return int(left<<half | right), uint64(k)*unit + fraction(seed, k)
}

// fraction returns a part of a unit, from 0 to unit-1, drawn from seed and k.
func fraction(seed uint64, k int) uint64 { return mix(seed^uint64(k)*golden) >> (64 - unitBits) }

// golden is 2^64 divided by the golden ratio, the step of SplitMix64.
const golden = 0x9e3779b97f4a7c15

// mix is the finalizer of SplitMix64 (Steele, Lea, Flood: Fast splittable pseudorandom number generators, 2014).
func mix(x uint64) uint64 {
	x = (x ^ x>>30) * 0xbf58476d1ce4e5b9
	x = (x ^ x>>27) * 0x94d049bb133111eb
	return x ^ x>>31
}

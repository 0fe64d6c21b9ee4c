package store

import "ringkv/node/record"

// Fingerprint is what one record adds to its slot's digest: nodes that hold the same get the same, so it is part of what
// they say to each other. A record that was only prepared, and never written, adds nothing.
func Fingerprint(key string, v record.Version, deleted bool) uint64 {
	if v.IsZero() {
		return 0
	}
	h := uint64(offset64)
	for i := range 8 {
		h = (h ^ uint64(byte(v.HLC>>(8*i)))) * prime64
		h = (h ^ uint64(byte(v.Writer>>(8*i)))) * prime64
	}
	if deleted {
		h = (h ^ 1) * prime64
	}
	for i := range len(key) {
		h = (h ^ uint64(key[i])) * prime64
	}
	return mix(h)
}

// FNV-1a (Fowler, Noll, Vo).
const (
	offset64 = 14695981039346656037
	prime64  = 1099511628211
)

// mix spreads the bits of a hash whose sums are compared (the finalizer of MurmurHash3).
func mix(h uint64) uint64 {
	h ^= h >> 33
	h *= 0xff51afd7ed558ccd
	h ^= h >> 33
	h *= 0xc4ceb9fe1a85ec53
	return h ^ h>>33
}

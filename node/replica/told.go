package replica

import (
	"slices"
	"strings"

	"ringkv/node/record"
)

// newest returns the newest that anyone has told of key, with the highest ballot, and who told it. Those who hold the same as this node don't tell of it. A deletion that all owners of an earlier config
// knew, and that some have collected since, is a tombstone again here.
func (c *collection) newest(key string) (best record.Record, from string) {
	best.Key = key
	for identity, got := range c.got {
		rec := record.Record{Key: key}
		if i, found := slices.BinarySearchFunc(got.Records, key, func(rec record.Record, key string) int { return strings.Compare(rec.Key, key) }); found {
			rec = got.Records[i]
		} else if got.Same { // it holds what this node holds, or held when it asked, and no ballot
			continue
		}
		rec, _ = seen(rec, got.Floor)
		if order := rec.Version.Compare(best.Version); order > 0 || order == 0 && identity < from {
			from = identity
		}
		best = record.Newer(best, rec)
	}
	return best, from
}

// guard returns the highest guard of those who have answered.
func (c *collection) guard() (guard record.Version) {
	for _, got := range c.got {
		guard = later(guard, got.Guard)
	}
	return guard
}

// floor returns the highest floor of those who have answered, and of this node.
func (c *collection) floor() record.Version {
	floor := c.s.Floor
	for _, got := range c.got {
		floor = later(floor, got.Floor)
	}
	return floor
}

func later(a, b record.Version) record.Version {
	if b.After(a) {
		return b
	}
	return a
}

package keeper

import (
	"time"

	"ringkv/hashring/membership"
)

// A tracker knows since when nodes pass. The zero tracker has seen none.
type tracker struct {
	passing []candidate // sorted by id
	changed time.Time   // when a node came or went
}

// update takes in who passes at now. A node that comes back, or comes with another disk, begins anew.
func (t *tracker) update(snap *membership.Snapshot, now time.Time) {
	type identity struct{ id, disk string }
	since := make(map[identity]time.Time, len(t.passing))
	for _, c := range t.passing {
		since[identity{c.ID, c.Disk}] = c.since
	}
	gone := len(since)
	passing := make([]candidate, len(snap.Members))
	for i, m := range snap.Members {
		at, known := since[identity{m.ID, m.Disk}]
		if !known {
			at, t.changed = now, now
		} else {
			gone--
		}
		passing[i] = candidate{m, at}
	}
	if gone > 0 {
		t.changed = now
	}
	t.passing = passing
}

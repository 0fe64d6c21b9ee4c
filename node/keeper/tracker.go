package keeper

import (
	"time"

	"ringkv/hashring/membership"
)

// A tracker knows since when nodes pass, and since when they don't any more. The zero tracker has seen none.
type tracker struct {
	passing []candidate            // sorted by id
	changed time.Time              // when a node came or went
	began   time.Time              // when it first looked
	left    map[identity]time.Time // when nodes that had passed were first missing
}

// An identity is a node on one disk.
type identity struct{ id, disk string }

// maxLeft bounds what is remembered of nodes that went. Beyond it, they count as missing since the tracker began.
const maxLeft = 4096

// update takes in who passes at now. A node that comes back, or comes with another disk, begins anew.
func (t *tracker) update(snap *membership.Snapshot, now time.Time) {
	if t.began.IsZero() {
		t.began, t.left = now, map[identity]time.Time{}
	}
	since := make(map[identity]time.Time, len(t.passing))
	for _, c := range t.passing {
		since[identity{c.ID, c.Disk}] = c.since
	}
	passing := make([]candidate, len(snap.Members))
	for i, m := range snap.Members {
		who := identity{m.ID, m.Disk}
		at, known := since[who]
		if !known {
			at, t.changed = now, now
		}
		delete(since, who)
		delete(t.left, who)
		passing[i] = candidate{m, at}
	}
	for who := range since {
		t.changed = now
		if len(t.left) < maxLeft {
			t.left[who] = now
		}
	}
	t.passing = passing
}

// awaySince returns since when a node that doesn't pass is known not to.
func (t *tracker) awaySince(id, disk string) time.Time {
	if at, ok := t.left[identity{id, disk}]; ok {
		return at
	}
	return t.began
}

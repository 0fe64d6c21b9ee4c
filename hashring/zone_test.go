package hashring

import (
	"fmt"
	"testing"
)

// inZones returns members a0, a1, b0, ... with as many in each zone a, b, ... as sizes say.
func inZones(sizes ...int) []Member {
	var ms []Member
	for z, n := range sizes {
		zone := string(rune('a' + z))
		for i := range n {
			ms = append(ms, Member{ID: fmt.Sprintf("%s%d", zone, i), Weight: 1, Zone: zone})
		}
	}
	return ms
}

// spread returns how many copies of a slot each zone has.
func spread(r *Ring, slot int) map[string]int {
	zone := make(map[string]string)
	for _, m := range r.Members() {
		zone[m.ID] = m.Zone
	}
	n := make(map[string]int)
	for _, id := range r.Owners(slot) {
		n[zone[id]]++
	}
	return n
}

func TestCopiesAreInAsManyZonesAsThereAre(t *testing.T) {
	for _, tc := range []struct {
		sizes          []int
		replicas       int
		zones, fullest int // in how many zones each slot is, and most copies in one
	}{
		{[]int{3, 3, 3}, 3, 3, 1},
		{[]int{1, 5, 2}, 3, 3, 1},
		{[]int{2, 2, 1, 1}, 3, 3, 1},
		{[]int{1, 1, 1, 1, 9}, 3, 3, 1},
		{[]int{4, 4}, 3, 2, 2},
		{[]int{1, 6}, 3, 2, 2},
		{[]int{1, 6}, 5, 2, 4},
		{[]int{3, 3, 3}, 5, 3, 2},
		{[]int{1, 1, 8}, 5, 3, 3},
		{[]int{7}, 3, 1, 3},
	} {
		r := mustNew(t, inZones(tc.sizes...), tc.replicas)
		for slot := range Slots {
			in := spread(r, slot)
			most := 0
			for _, n := range in {
				most = max(most, n)
			}
			if len(in) != tc.zones || most != tc.fullest {
				t.Fatalf("zones of %v, %d replicas: slot %d is spread %v, want %d zones with at most %d", tc.sizes, tc.replicas, slot, in, tc.zones, tc.fullest)
			}
		}
	}
}

// One node alone in a zone of two, with two copies, has one of every slot; the three of the other zone share the others.
func TestLoneNodeOfAZone(t *testing.T) {
	r := mustNew(t, inZones(1, 3), 2)
	if got := r.Count("a0"); got != Slots {
		t.Errorf("Count(a0) = %d, want %d", got, Slots)
	}
	for _, id := range []string{"b0", "b1", "b2"} {
		if got := r.Count(id); got < 330 || got > 350 {
			t.Errorf("Count(%s) = %d, want about a third of %d", id, got, Slots)
		}
	}
}

// Zones of equal size don't change how even the load is.
func TestEqualZonesHaveEqualLoad(t *testing.T) {
	for _, sizes := range [][]int{{3, 3, 3}, {10, 10, 10}, {5, 5, 5, 5}, {6, 6}} {
		members := inZones(sizes...)
		owned, _ := fullest(mustNew(t, members, 3))
		if got := float64(owned*len(members)) / (3 * Slots); got > 1.08 {
			t.Errorf("zones of %v: the fullest node owns %.3f of the mean, want at most 1.08", sizes, got)
		}
	}
}

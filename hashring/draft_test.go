package hashring

import (
	"fmt"
	"testing"
)

// TestDraftOnPaper works four slots out by hand. Nodes a, b and c may have two each, and wish, step by step:
//
//	step 0    a: 0    c: 3    b: 0
//	step 1    a: 1    c: 0    b: 2
//	step 2    a: 2    c: 1    b: 1
//	step 3    a: 3    c: 2    b: 3
//
// a, who speaks first in each step, gets 0 and 1; c gets 3; b is refused 0 and gets 2. That is all. Without c, b gets 3 as
// well, in step 3: only what c had moves.
func TestDraftOnPaper(t *testing.T) {
	wishes := map[uint64][]int{'a': {0, 1, 2, 3}, 'b': {0, 2, 1, 3}, 'c': {3, 0, 1, 2}}
	late := map[uint64]uint64{'a': 0, 'c': unit / 4, 'b': unit / 2}
	for _, tc := range []struct{ nodes, want string }{
		{"abc", "aabc"},
		{"cab", "aabc"},
		{"ab", "aabb"},
	} {
		d := &draft{taste: func(seed uint64, k int) (int, uint64) {
			return wishes[seed][k%4], uint64(k)*unit + late[seed]
		}}
		for _, name := range tc.nodes {
			d.drafters = append(d.drafters, drafter{seed: uint64(name), node: name, quota: unit, limit: 2})
		}
		got := []byte("....")
		granted := d.run(4, func(w wish) bool {
			free := got[w.slot] == '.'
			if free {
				got[w.slot] = byte(w.node)
			}
			return free
		})
		if string(got) != tc.want || granted != 4 {
			t.Errorf("draft of %s gives slots to %s (%d granted), want %s (4)", tc.nodes, got, granted, tc.want)
		}
	}
}

func TestTasteIsAPermutation(t *testing.T) {
	for seed := range uint64(50) {
		var seen [Slots]bool
		last := uint64(0)
		for k := range Slots {
			slot, place := taste(mix(seed), k)
			if seen[slot] {
				t.Fatalf("seed %d wishes for slot %d twice", seed, slot)
			}
			if place < last || place/unit != uint64(k) {
				t.Fatalf("wish %d of seed %d is in place %d, want from %d to %d", k, seed, place, k*unit, (k+1)*unit)
			}
			seen[slot], last = true, place
		}
	}
}

// Shares worked out by hand.
func TestDivide(t *testing.T) {
	for _, tc := range []struct {
		total  uint64
		claims []claim
		want   []uint64
	}{
		{90, []claim{{weight: 1, max: 100}, {weight: 2, max: 100}}, []uint64{30, 60}},
		{90, []claim{{weight: 1, max: 100}, {weight: 2, max: 50}}, []uint64{40, 50}},
		{90, []claim{{weight: 1, min: 45, max: 100}, {weight: 8, max: 100}}, []uint64{45, 45}},
		// By weight 80, 10, 10. 80 is 30 over, the 10s are 20 under: the first is settled at 50, and 25 are left for each.
		{100, []claim{{weight: 8, max: 50}, {weight: 1, min: 20, max: 100}, {weight: 1, min: 20, max: 100}}, []uint64{50, 25, 25}},
		{0, []claim{{weight: 3, max: 5}}, []uint64{0}},
	} {
		divide(tc.total, tc.claims)
		var got []uint64
		for _, c := range tc.claims {
			got = append(got, c.share)
		}
		if fmt.Sprint(got) != fmt.Sprint(tc.want) {
			t.Errorf("divide(%d) = %v, want %v", tc.total, got, tc.want)
		}
	}
}

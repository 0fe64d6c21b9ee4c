package hashring

import (
	"fmt"
	"slices"
	"testing"
)

// moved counts the copies of slots that are on a node in to which wasn't there in from.
func moved(from, to *Ring) int {
	n := 0
	for slot := range Slots {
		for _, id := range to.Owners(slot) {
			if !slices.Contains(from.Owners(slot), id) {
				n++
			}
		}
	}
	return n
}

// cluster returns n members whose ids are different ones for each trial.
func cluster(trial, n int) []Member {
	ms := make([]Member, n)
	for i := range ms {
		ms[i] = Member{ID: fmt.Sprintf("node-%08x", mix(uint64(trial*10_000+i))>>32), Weight: 1}
	}
	return ms
}

// TestJoinMovesLittle compares what moves when one node joins n others with the fair share of the newcomer, which must
// move to it in any case. The same pairs move back when it leaves. The bounds are what is measured, and a little more:
// DESIGN.md says why many nodes cannot have less.
func TestJoinMovesLittle(t *testing.T) {
	for _, tc := range []struct {
		n    int
		most float64 // times the fair share, averaged over trials
	}{{3, 1.01}, {4, 1.02}, {5, 1.03}, {6, 1.04}, {7, 1.05}, {8, 1.06}, {9, 1.07}, {10, 1.08}, {12, 1.1}, {20, 1.15}, {30, 1.25}, {100, 1.85}} {
		const trials = 10
		sum, fair := 0, float64(3*Slots)/float64(tc.n+1)
		for trial := range trials {
			members := cluster(trial, tc.n+1)
			sum += moved(mustNew(t, members[:tc.n], 3), mustNew(t, members, 3))
		}
		if got := float64(sum) / trials / fair; got > tc.most {
			t.Errorf("a node that joins %d moves %.3f of its fair share, want at most %.3f", tc.n, got, tc.most)
		}
	}
}

func TestUpToAsManyNodesAsReplicasNothingMovesBetweenOthers(t *testing.T) {
	for n := range 3 {
		members := nodes(n + 1)
		if got := moved(mustNew(t, members[:n], 3), mustNew(t, members, 3)); got != Slots {
			t.Errorf("a node that joins %d moves %d copies, want %d: one of every slot, to itself", n, got, Slots)
		}
	}
}

func TestWeightChangeMovesLittle(t *testing.T) {
	for _, weight := range []int{5, 9, 11, 20} {
		members := cluster(1, 10)
		for i := range members {
			members[i].Weight = 10
		}
		before := mustNew(t, members, 3)
		members[4].Weight = weight
		after := mustNew(t, members, 3)
		least := max(1, after.Count(members[4].ID)-before.Count(members[4].ID), before.Count(members[4].ID)-after.Count(members[4].ID))
		if got := moved(before, after); float64(got) > 1.5*float64(least)+10 {
			t.Errorf("weight 10 to %d moves %d copies, of which %d are to or from that node", weight, got, least)
		}
	}
}

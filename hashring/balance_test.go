package hashring

import (
	"testing"
)

// fullest returns the most slots that a node owns, and the most that one leads.
func fullest(r *Ring) (owned, led int) {
	leads := make(map[string]int)
	for slot := range Slots {
		leads[r.Owners(slot)[0]]++
	}
	for _, m := range r.Members() {
		owned, led = max(owned, r.Count(m.ID)), max(led, leads[m.ID])
	}
	return owned, led
}

func TestEqualNodesHaveEqualLoad(t *testing.T) {
	for _, tc := range []struct {
		n           int
		owned, lead float64 // fullest node over the mean
	}{{1, 1, 1}, {2, 1, 1.01}, {3, 1, 1.01}, {4, 1.015, 1.02}, {5, 1.015, 1.02}, {7, 1.02, 1.03}, {9, 1.02, 1.03}, {12, 1.02, 1.04}, {30, 1.03, 1.09},
		{100, 1.05, 1.28}, {1000, 1.63, 3}} {
		for trial := range 5 {
			r := mustNew(t, cluster(trial, tc.n), 3)
			owned, led := fullest(r)
			copies := min(3, tc.n)
			if got := float64(owned*tc.n) / float64(Slots*copies); got > tc.owned {
				t.Errorf("of %d nodes the fullest owns %.3f of the mean, want at most %.3f", tc.n, got, tc.owned)
			}
			if got := float64(led*tc.n) / Slots; got > tc.lead {
				t.Errorf("of %d nodes one leads %.3f of the mean, want at most %.3f", tc.n, got, tc.lead)
			}
		}
	}
}

func TestWeightsAreRespected(t *testing.T) {
	members := cluster(3, 8)
	total := 0
	for i := range members {
		members[i].Weight = 1 + i%4
		total += members[i].Weight
	}
	r := mustNew(t, members, 2)
	for _, m := range members {
		want := float64(m.Weight) / float64(total)
		if got := r.Share(m.ID); got > want*1.05 || got < want*0.9 {
			t.Errorf("Share of weight %d of %d = %.3f, want about %.3f", m.Weight, total, got, want)
		}
	}
}

func TestHeavyNodeOwnsEverySlotAndNoMore(t *testing.T) {
	members := nodes(5)
	members[2].Weight = MaxWeight
	r := mustNew(t, members, 3)
	if got := r.Count("n002"); got != Slots {
		t.Errorf("Count of the heavy node = %d, want every one of %d", got, Slots)
	}
	for _, id := range []string{"n000", "n001", "n003", "n004"} {
		if got := r.Count(id); got < 490 || got > 530 {
			t.Errorf("Count(%s) = %d, want about 512: the other two copies by four nodes", id, got)
		}
	}
}

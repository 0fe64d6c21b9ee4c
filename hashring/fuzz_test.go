package hashring

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"
)

// FuzzRing builds rings of any members and checks what must hold for all: as many distinct owners as replicas, in as many
// zones as there are; the same ring for any order of members; and where nodes are equal, little movement when one leaves.
func FuzzRing(f *testing.F) {
	f.Add(uint64(1), uint8(3), uint8(3), uint8(1), uint8(0))
	f.Add(uint64(2), uint8(9), uint8(3), uint8(4), uint8(2))
	f.Add(uint64(3), uint8(40), uint8(5), uint8(2), uint8(16))
	f.Add(uint64(4), uint8(200), uint8(1), uint8(7), uint8(1))
	f.Fuzz(func(t *testing.T, seed uint64, n, replicas, zones, weightBits uint8) {
		rng := rand.New(rand.NewPCG(seed, 0))
		members := make([]Member, 1+int(n))
		for i := range members {
			members[i] = Member{ID: fmt.Sprintf("node-%d-%d", rng.Uint32(), i), Weight: 1 + rng.IntN(1<<(weightBits%16))}
			if zones%8 > 0 {
				members[i].Zone = fmt.Sprint(min(rng.IntN(int(zones%8)), rng.IntN(8)))
			}
		}
		copies := 1 + int(replicas%7)
		r := mustNew(t, members, copies)
		checkOwners(t, r, copies)
		rng.Shuffle(len(members), func(i, j int) { members[i], members[j] = members[j], members[i] })
		if got := moved(r, mustNew(t, members, copies)); got != 0 {
			t.Errorf("%d copies are elsewhere for another order of the members, want none", got)
		}
		if weightBits%16 == 0 && zones%8 == 0 && len(members) > copies {
			fair := float64(Slots*copies) / float64(len(members))
			if got := float64(moved(r, mustNew(t, members[1:], copies))); got > 3*fair+8 {
				t.Errorf("%v copies move when one of %d leaves, want at most 3 times its fair share of %.0f", got, len(members), fair)
			}
		}
	})
}

// checkOwners fails where a slot hasn't as many distinct owners as it should have, or in fewer zones than there are.
func checkOwners(t *testing.T, r *Ring, replicas int) {
	t.Helper()
	zone := make(map[string]string)
	var zones []string
	for _, m := range r.Members() {
		zone[m.ID] = m.Zone
		if !slices.Contains(zones, m.Zone) {
			zones = append(zones, m.Zone)
		}
	}
	for slot := range Slots {
		owners := slices.Clone(r.Owners(slot))
		slices.Sort(owners)
		if got, want := len(slices.Compact(owners)), min(replicas, len(zone)); got != want {
			t.Fatalf("Owners(%d) = %v, want %d distinct ones", slot, r.Owners(slot), want)
		}
		if got, want := len(spread(r, slot)), min(replicas, len(zones)); got != want {
			t.Fatalf("Owners(%d) = %v in %d zones, want %d", slot, r.Owners(slot), got, want)
		}
	}
}

package hashring

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"
)

// nodes returns n members of weight 1 without zones: n000, n001, ...
func nodes(n int) []Member {
	ms := make([]Member, n)
	for i := range ms {
		ms[i] = Member{ID: fmt.Sprintf("n%03d", i), Weight: 1}
	}
	return ms
}

func mustNew(t testing.TB, members []Member, replicas int) *Ring {
	t.Helper()
	r, err := New(members, replicas)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func TestOwnersAreDistinctAndAsManyAsReplicas(t *testing.T) {
	for _, n := range []int{0, 1, 2, 3, 4, 7, 30, 100} {
		for replicas := 1; replicas <= 5; replicas++ {
			r := mustNew(t, nodes(n), replicas)
			for slot := range Slots {
				owners := slices.Clone(r.Owners(slot))
				slices.Sort(owners)
				if got, want := len(slices.Compact(owners)), min(n, replicas); got != want {
					t.Fatalf("%d nodes, %d replicas: Owners(%d) = %v, want %d distinct", n, replicas, slot, r.Owners(slot), want)
				}
			}
		}
	}
}

func TestOrderOfMembersDoesNotMatter(t *testing.T) {
	members := nodes(12)
	want := mustNew(t, members, 3)
	rng := rand.New(rand.NewPCG(1, 2))
	for range 5 {
		rng.Shuffle(len(members), func(i, j int) { members[i], members[j] = members[j], members[i] })
		got := mustNew(t, members, 3)
		for slot := range Slots {
			if !slices.Equal(got.Owners(slot), want.Owners(slot)) {
				t.Fatalf("Owners(%d) = %v, want %v as in the other order", slot, got.Owners(slot), want.Owners(slot))
			}
		}
	}
}

func TestNewRefuses(t *testing.T) {
	for _, tc := range []struct {
		name     string
		members  []Member
		replicas int
		want     string
	}{
		{"no replicas", nodes(3), 0, "ring: replicas is 0, must be at least 1"},
		{"no id", []Member{{ID: "", Weight: 1}}, 3, "ring: a member has no id"},
		{"no weight", []Member{{ID: "a"}}, 3, "ring: weight of a is 0, must be from 1 to 65535"},
		{"the same id twice", []Member{{ID: "a", Weight: 1}, {ID: "b", Weight: 1}, {ID: "a", Weight: 2}}, 3,
			"ring: two members have the id a: ids must be distinct"},
	} {
		if _, err := New(tc.members, tc.replicas); err == nil || err.Error() != tc.want {
			t.Errorf("%s: error %v, want %s", tc.name, err, tc.want)
		}
	}
}

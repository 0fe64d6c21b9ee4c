package hashring

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/cespare/xxhash/v2"
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

func TestNoMembers(t *testing.T) {
	r := mustNew(t, nil, 3)
	if got := r.Owners(7); len(got) != 0 {
		t.Errorf("Owners(7) = %v, want none", got)
	}
	if r.Share("a") != 0 || r.Count("a") != 0 || len(r.Members()) != 0 {
		t.Errorf("Share, Count, Members = %v, %v, %v, want nothing", r.Share("a"), r.Count("a"), r.Members())
	}
}

func TestMembersAreSortedAndACopy(t *testing.T) {
	given := []Member{{ID: "b", Weight: 2, Zone: "z"}, {ID: "a", Weight: 1}}
	r := mustNew(t, given, 2)
	want := []Member{{ID: "a", Weight: 1}, {ID: "b", Weight: 2, Zone: "z"}}
	got := r.Members()
	if !slices.Equal(got, want) {
		t.Errorf("Members() = %v, want %v", got, want)
	}
	got[0].ID, given[0].ID = "x", "y"
	if !slices.Equal(r.Members(), want) {
		t.Errorf("Members() = %v after its caller and New's changed theirs, want %v", r.Members(), want)
	}
}

func TestSharesAddUp(t *testing.T) {
	for _, n := range []int{1, 2, 5, 100} {
		r := mustNew(t, nodes(n), 3)
		sum, count := 0.0, 0
		for _, m := range r.Members() {
			sum += r.Share(m.ID)
			count += r.Count(m.ID)
		}
		if sum < 0.999999 || sum > 1.000001 || count != Slots*min(3, n) {
			t.Errorf("of %d nodes shares add up to %v and counts to %d, want 1 and %d", n, sum, count, Slots*min(3, n))
		}
	}
}

// The published test vectors of xxHash64 with seed 0: their top ten bits.
func TestSlotOf(t *testing.T) {
	for key, hash := range map[string]uint64{"": 0xef46db3751d8e999, "a": 0xd24ec4f1a98c6e5b, "abc": 0x44bc2cf5ad770999} {
		if got, want := SlotOf(key), int(hash/(1<<64/Slots)); got != want {
			t.Errorf("SlotOf(%q) = %d, want %d", key, got, want)
		}
	}
}

// TestRingIsWhatItWas fails when the ring of given members becomes another one. Gateways and nodes of two releases would
// then disagree, and the first start of the new one would move data: don't adapt it without a way for clusters to go over.
func TestRingIsWhatItWas(t *testing.T) {
	members := []Member{
		{ID: "n1", Weight: 1, Zone: "a"}, {ID: "n2", Weight: 2, Zone: "b"}, {ID: "n3", Weight: 1, Zone: "c"},
		{ID: "n4", Weight: 3, Zone: "a"}, {ID: "n5", Weight: 1}, {ID: "n6", Weight: 5, Zone: "b"},
	}
	for _, tc := range []struct {
		members  []Member
		replicas int
		want     uint64
	}{
		{nodes(3), 3, 0xd8a69292d318a418},
		{nodes(10), 3, 0x8199d96645888f6a},
		{nodes(100), 3, 0xdbf293f92b013b98},
		{members, 2, 0x9bf8578d07c27e34},
		{members, 3, 0x146d2e93721bf838},
		{members, 5, 0x9b15c2dee09dc91c},
	} {
		r := mustNew(t, tc.members, tc.replicas)
		sum := xxhash.New()
		for slot := range Slots {
			fmt.Fprintln(sum, slot, r.Owners(slot))
		}
		if got := sum.Sum64(); got != tc.want {
			t.Errorf("%d members, %d replicas: the owners' hash is %#x, want %#x", len(tc.members), tc.replicas, got, tc.want)
		}
	}
}

func TestLookupAllocatesNothing(t *testing.T) {
	r := mustNew(t, nodes(100), 3)
	if got := testing.AllocsPerRun(100, func() { r.Owners(SlotOf("a key that is somewhat longer than most keys are")) }); got != 0 {
		t.Errorf("a lookup allocates %v times, want 0", got)
	}
}

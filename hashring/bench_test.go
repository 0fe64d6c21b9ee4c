package hashring

import (
	"fmt"
	"testing"
)

// BenchmarkOwners measures the owners of a key: a hash and an index.
func BenchmarkOwners(b *testing.B) {
	for _, n := range []int{3, 100, 1000} {
		b.Run(fmt.Sprintf("nodes=%d", n), func(b *testing.B) {
			r := mustNew(b, nodes(n), 3)
			keys := make([]string, 1024)
			for i := range keys {
				keys[i] = fmt.Sprintf("user:%08d", i)
			}
			b.ReportAllocs()
			i, owners := 0, 0
			for b.Loop() {
				owners += len(r.Owners(SlotOf(keys[i&1023])))
				i++
			}
			if owners != 3*i {
				b.Fatalf("%d owners of %d keys, want 3 of each", owners, i)
			}
		})
	}
}

// BenchmarkNew measures how long a ring takes to build, and what it allocates.
func BenchmarkNew(b *testing.B) {
	for _, n := range []int{3, 100, 1000, 10_000} {
		b.Run(fmt.Sprintf("nodes=%d", n), func(b *testing.B) {
			members := cluster(1, n)
			b.ReportAllocs()
			for b.Loop() {
				mustNew(b, members, 3)
			}
		})
	}
}

// BenchmarkJoin measures, over as many clusters as it has rounds, how even the ring is, and what moves when a node joins:
// most slots owned and led over the mean; copies moved, and slots whose list of owners changed, over the fair share of the
// newcomer. Its ns/op means nothing. Run it with -benchtime 100x.
func BenchmarkJoin(b *testing.B) {
	for _, n := range []int{3, 4, 5, 6, 7, 8, 9, 10, 12, 20, 30, 60, 100, 150, 300, 1000} {
		b.Run(fmt.Sprintf("nodes=%d", n), func(b *testing.B) {
			var owned, led, copies, lists, worst float64
			for trial := range b.N {
				members := cluster(trial, n+1)
				before, after := mustNew(b, members[:n], 3), mustNew(b, members, 3)
				o, l := fullest(before)
				owned += float64(o*n) / (3 * Slots)
				led += float64(l*n) / Slots
				fair := float64(3*Slots) / float64(n+1)
				m := float64(moved(before, after)) / fair
				copies += m
				worst = max(worst, m)
				lists += float64(changed(before, after)) / fair
			}
			rounds := float64(b.N)
			b.ReportMetric(0, "ns/op")
			b.ReportMetric(owned/rounds, "owned/mean")
			b.ReportMetric(led/rounds, "led/mean")
			b.ReportMetric(copies/rounds, "moved/fair")
			b.ReportMetric(worst, "worst-moved/fair")
			b.ReportMetric(lists/rounds, "lists/fair")
		})
	}
}

// changed counts the slots whose list of owners is another one.
func changed(from, to *Ring) int {
	n := 0
	for slot := range Slots {
		if fmt.Sprint(from.Owners(slot)) != fmt.Sprint(to.Owners(slot)) {
			n++
		}
	}
	return n
}

// BenchmarkJoinUneven is BenchmarkJoin where nodes are in zones, one after the other, and where they have weights of 1 to 4.
// Slots owned are over the fair share by weight and zone, copies moved over what the newcomer gets.
func BenchmarkJoinUneven(b *testing.B) {
	for _, tc := range []struct{ n, zones, weights int }{
		{9, 1, 4}, {30, 1, 4}, {100, 1, 4},
		{6, 2, 1}, {12, 2, 1}, {30, 2, 1}, {100, 2, 1},
		{6, 3, 1}, {12, 3, 1}, {30, 3, 1}, {100, 3, 1},
		{6, 4, 1}, {12, 4, 1}, {30, 4, 1}, {100, 4, 1},
		{12, 3, 4}, {30, 3, 4},
	} {
		b.Run(fmt.Sprintf("nodes=%d/zones=%d/weights=%d", tc.n, tc.zones, tc.weights), func(b *testing.B) {
			var owned, copies, worst float64
			for trial := range b.N {
				members := cluster(trial, tc.n+1)
				for i := range members {
					members[i].Zone = fmt.Sprint(i % tc.zones)
					members[i].Weight = 1 + int(mix(uint64(trial+i))%uint64(tc.weights))
				}
				before, after := mustNew(b, members[:tc.n], 3), mustNew(b, members, 3)
				owned += overFair(before, 3)
				m := float64(moved(before, after)) / float64(after.Count(members[tc.n].ID))
				copies += m
				worst = max(worst, m)
			}
			rounds := float64(b.N)
			b.ReportMetric(0, "ns/op")
			b.ReportMetric(owned/rounds, "owned/fair")
			b.ReportMetric(copies/rounds, "moved/newcomer")
			b.ReportMetric(worst, "worst-moved/newcomer")
		})
	}
}

// overFair returns the largest ratio of what a node owns to its fair share.
func overFair(r *Ring, copies int) float64 {
	most := 0.0
	for i, quota := range newZones(r.members, copies).quotas(r.members) {
		most = max(most, float64(r.counts[i])*unit/float64(quota))
	}
	return most
}

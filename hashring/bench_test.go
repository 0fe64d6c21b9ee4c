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

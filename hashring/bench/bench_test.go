package bench

import (
	"fmt"
	"slices"
	"testing"
)

var sizes = []int{3, 10, 100, 1000}

// BenchmarkOwners measures a lookup of all owners of a key.
func BenchmarkOwners(b *testing.B) {
	some := keys(1024)
	each(b, sizes, func(b *testing.B, p peer, n int) {
		find := p.build(b, ids(0, n))
		b.ReportAllocs()
		i := 0
		for b.Loop() {
			if len(find(some[i%len(some)])) != p.copies {
				b.Fatal("not as many owners as copies")
			}
			i++
		}
	})
}

// BenchmarkBuild measures building from a list of nodes.
func BenchmarkBuild(b *testing.B) {
	each(b, sizes, func(b *testing.B, p peer, n int) {
		nodes := ids(0, n)
		b.ReportAllocs()
		for b.Loop() {
			p.build(b, nodes)
		}
	})
}

// BenchmarkSpread measures, in keys and over as many clusters as it has rounds, what the fullest node holds over the mean,
// and what moves when a node joins over the fair share of the newcomer. Its time means nothing; run it with -benchtime 5x.
func BenchmarkSpread(b *testing.B) {
	many := keys(400_000)
	each(b, []int{3, 10, 100}, func(b *testing.B, p peer, n int) {
		copies := float64(len(many) * p.copies)
		var fullest, movement float64
		for trial := range b.N {
			nodes := ids(trial, n+1)
			most, moved := spread(p.build(b, nodes[:n]), p.build(b, nodes), many)
			fullest += float64(most*n) / copies
			movement += float64(moved*(n+1)) / copies
		}
		b.ReportMetric(0, "ns/op")
		b.ReportMetric(fullest/float64(b.N), "fullest/mean")
		b.ReportMetric(movement/float64(b.N), "moved/fair")
	})
}

// spread returns how many keys the fullest node holds before, and how many are on a node after where they weren't.
func spread(before, after owners, keys []string) (most, moved int) {
	held := make(map[string]int)
	for _, key := range keys {
		was := slices.Clone(before(key))
		for _, id := range was {
			held[id]++
			most = max(most, held[id])
		}
		for _, id := range after(key) {
			if !slices.Contains(was, id) {
				moved++
			}
		}
	}
	return most, moved
}

// each runs a benchmark for every peer and size.
func each(b *testing.B, sizes []int, run func(*testing.B, peer, int)) {
	for _, p := range peers {
		for _, n := range sizes {
			if n >= p.copies {
				b.Run(fmt.Sprintf("%s/copies=%d/nodes=%d", p.name, p.copies, n), func(b *testing.B) { run(b, p, n) })
			}
		}
	}
}

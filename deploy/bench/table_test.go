package main

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"
)

func TestMedian(t *testing.T) {
	for _, test := range []struct {
		rates []float64
		want  float64
	}{
		{[]float64{7}, 7},
		{[]float64{9, 1, 5}, 5},
		{[]float64{4, 1, 100, 2}, 3},
	} {
		var rounds []figures
		for _, rate := range test.rates {
			rounds = append(rounds, figures{rate: rate})
		}
		if got := median(rounds, func(f figures) float64 { return f.rate }); got != test.want {
			t.Errorf("median of %v = %v, want %v", test.rates, got, test.want)
		}
	}
}

func TestCount(t *testing.T) {
	for x, want := range map[float64]string{0: "0", 999.4: "999", 999.6: "1,000", 12_345: "12,345", 1_234_567: "1,234,567"} {
		if got := count(x); got != want {
			t.Errorf("count(%v) = %q, want %q", x, got, want)
		}
	}
}

func TestShort(t *testing.T) {
	for x, want := range map[float64]string{0: "0.00", 1.234: "1.23", 9.994: "9.99", 9.996: "10.0", 12.34: "12.3", 99.96: "100", 1234.5: "1,234"} {
		if got := short(x); got != want {
			t.Errorf("short(%v) = %q, want %q", x, got, want)
		}
	}
}

// measured is three systems, two workloads and three rounds; the third system has no writes.
func measured() ([]*system, []result) {
	of := func(rates ...float64) (rounds []figures) {
		for _, rate := range rates {
			rounds = append(rounds, figures{rate: rate, p50: 1500 * time.Microsecond, p99: 10 * time.Millisecond, p999: 200 * time.Millisecond,
				cpu: rate / 100, memory: 64 << 20, idle: 0.02})
		}
		return rounds
	}
	small := allValues(10)[0]
	return []*system{{name: "ringkv", about: "ringkv: nodes."}, {name: "Consul KV", about: "Consul KV: servers."}, {name: "nginx", about: "nginx: a bound."}}, []result{
		{workload{"PUT", 100, small, 64, 1}, [][]figures{of(15_000, 25_000, 20_000), of(9_000, 10_000, 11_000), nil}, []string{"", "", "reads only"}, []int{0, 0, 0}},
		{workload{"GET", 0, small, 1, 1}, [][]figures{of(30_000, 31_000, 32_000), of(62_000, 1_000, 90_000), of(1, 2, 0)}, []string{"", "", ""}, []int{0, 2, 0}},
	}
}

func TestTables(t *testing.T) {
	systems, results := measured()
	var text strings.Builder
	if err := writeTables(&text, systems, results); err != nil {
		t.Fatal(err)
	}
	lines := strings.Split(text.String(), "\n")
	for _, want := range []string{
		"| Requests a second | ringkv | Consul KV (ratio) | nginx (ratio) |",
		"| --- | ---: | ---: | ---: |",
		"| PUT 100 B, 64 connections | 20,000 | 10,000 (2.00) | reads only |",
		"| GET 100 B, 1 connection | 31,000 | 62,000 (0.50) | 1 (31000.00) |",
		"| PUT 100 B, 64 connections | 1.50 / 10.0 / 200 | 1.50 / 10.0 / 200 (1.00) | reads only |",
		"| PUT 100 B, 64 connections | 200 s, 64 MiB | 100 s, 64 MiB (2.00) | reads only |",
	} {
		if !slices.Contains(lines, want) {
			t.Errorf("the tables have no line %q:\n%s", want, text.String())
		}
	}
}

func TestNotes(t *testing.T) {
	systems, results := measured()
	for strange, busy := range map[float64]bool{0.1: false, 1.2: true} {
		for i := range results[0].rounds[0] {
			results[0].rounds[0][i].strange = strange
		}
		var text strings.Builder
		cfg := config{rounds: 3, each: 5 * time.Second, keys: 10_000}
		if err := writeNotes(&text, cfg, "2 CPUs", systems, []string{"etcd is left out: it is not installed."}, results); err != nil {
			t.Fatal(err)
		}
		for _, want := range []string{"Medians of 3 rounds of 5s each", "10,000 keys with 100 B, 1,000 with 10 KiB, 100 with 1 MiB", "ringkv: nodes.", "etcd is left out", "Made again, because Consul KV did not stay whole or failed requests: 2 measurements.",
			fmt.Sprintf("take 0.02 CPUs at most, other programs %.2f.", strange)} {
			if !strings.Contains(text.String(), want) {
				t.Errorf("the notes don't say %q:\n%s", want, text.String())
			}
		}
		if got := strings.Contains(text.String(), "The machine was busy"); got != busy {
			t.Errorf("with %v CPUs for other programs the notes say so: %v, want %v", strange, got, busy)
		}
	}
}

func TestTurns(t *testing.T) {
	firsts := map[int]int{}
	for round := range 4 {
		order := turns(4, round)
		firsts[order[0]]++
		slices.Sort(order)
		if !slices.Equal(order, []int{0, 1, 2, 3}) {
			t.Errorf("turns(4, %d), sorted, = %v", round, order)
		}
	}
	if len(firsts) != 4 {
		t.Errorf("in four rounds only %v came first", firsts)
	}
}

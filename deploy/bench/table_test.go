package main

import (
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

func TestTableSaysThatTheMachineWasBusy(t *testing.T) {
	for strange, want := range map[float64]bool{0.1: false, 1.2: true} {
		rounds := []figures{{rate: 1, strange: strange}}
		results := []result{{operation{"GET", ""}, []*system{{name: "a"}, {name: "b"}}, [][]figures{rounds, rounds}}}
		var text strings.Builder
		if err := writeTable(&text, config{rounds: 1}, "2 CPUs", results); err != nil {
			t.Fatal(err)
		}
		if got := strings.Contains(text.String(), "The machine was busy"); got != want {
			t.Errorf("with %v CPUs for other programs the table says so: %v, want %v", strange, got, want)
		}
	}
}

func TestTable(t *testing.T) {
	systems := []*system{{name: "ringkv"}, {name: "Consul KV"}}
	of := func(rate float64) figures {
		return figures{rate: rate, p50: 1500 * time.Microsecond, p99: 10 * time.Millisecond, cpu: 100, idle: 0.02}
	}
	results := []result{
		{operation{"PUT", ""}, systems, [][]figures{{of(15_000), of(25_000), of(20_000)}, {of(9_000), of(10_000), of(11_000)}}},
		{operation{"GET", "?raw"}, systems, [][]figures{{of(30_000), of(31_000), of(32_000)}, {of(62_000), of(1_000), of(90_000)}}},
	}
	var text strings.Builder
	if err := writeTable(&text, config{rounds: 3, each: 5 * time.Second}, "2 CPUs", results); err != nil {
		t.Fatal(err)
	}
	lines := strings.Split(text.String(), "\n")
	for _, want := range []string{
		"| 100 B values, 64 connections | ringkv | Consul KV | ratio |",
		"| PUT, a second | 20,000 | 10,000 | 2.00 |",
		"| PUT, p50, ms | 1.50 | 1.50 | 1.00 |",
		"| PUT, p99, ms | 10.00 | 10.00 | 1.00 |",
		"| GET, a second | 31,000 | 62,000 | 0.50 |",
		"| GET, CPU seconds for a million | 100 | 100 | 1.00 |",
	} {
		if !slices.Contains(lines, want) {
			t.Errorf("the table has no line %q:\n%s", want, text.String())
		}
	}
}

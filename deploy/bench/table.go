package main

import (
	"fmt"
	"io"
	"os/exec"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"time"
)

// tolerated is how many CPUs other programs may take before the figures come with a warning.
const tolerated = 0.2

// row is a line of the table: a figure of each system, and how it is written.
type row struct {
	name string
	of   func(figures) float64
	text func(float64) string
}

func rows() []row {
	return []row{
		{"a second", func(f figures) float64 { return f.rate }, count},
		{"p50, ms", func(f figures) float64 { return float64(f.p50) }, func(ns float64) string { return millis(time.Duration(ns)) }},
		{"p99, ms", func(f figures) float64 { return float64(f.p99) }, func(ns float64) string { return millis(time.Duration(ns)) }},
		{"CPU seconds for a million", func(f figures) float64 { return f.cpu }, count},
	}
}

// writeTable writes the medians of all rounds and their ratios as a table in Markdown, with a paragraph that says what it is of.
func writeTable(w io.Writer, cfg config, machine string, results []result) error {
	var text strings.Builder
	first, second := results[0].systems[0].name, results[0].systems[1].name
	fmt.Fprintf(&text, "\n| %d B values, %d connections | %s | %s | ratio |\n| --- | ---: | ---: | ---: |\n", valueBytes, connections, first, second)
	var idle, strange float64
	for _, r := range results {
		for _, row := range rows() {
			a, b := median(r.rounds[0], row.of), median(r.rounds[1], row.of)
			fmt.Fprintf(&text, "| %s, %s | %s | %s | %.2f |\n", r.operation.method, row.name, row.text(a), row.text(b), a/b)
		}
		for _, rounds := range r.rounds {
			idle = max(idle, median(rounds, func(f figures) float64 { return f.idle }))
			strange = max(strange, median(rounds, func(f figures) float64 { return f.strange }))
		}
	}
	fmt.Fprintf(&text, "\nMedians of %d rounds of %v each, in turns on the same machine, load generator (wrk) included: %s. "+
		"%d keys, a random one each time. Ratio: %s by %s. CPU: of all processes of the system, without wrk. "+
		"ringkv: three nodes (fsync before each answer), one gateway, one Consul; reads ask a majority. "+
		"Consul KV: three servers with their data on disk and raft_multiplier 1, asked at the leader, in the default consistency mode. "+
		"Both are up all the time; the one that isn't asked takes %.2f CPUs at most, other programs %.2f.\n",
		cfg.rounds, cfg.each, machine, keys, first, second, idle, strange)
	if strange > tolerated {
		fmt.Fprintf(&text, "\n**The machine was busy with other programs: on one that is not, the rates and times are others.**\n")
	}
	_, err := io.WriteString(w, text.String())
	return err
}

// median of one figure over the rounds, of which there is at least one.
func median(rounds []figures, of func(figures) float64) float64 {
	values := make([]float64, len(rounds))
	for i, f := range rounds {
		values[i] = of(f)
	}
	slices.Sort(values)
	middle := len(values) / 2
	if len(values)%2 == 1 {
		return values[middle]
	}
	return (values[middle-1] + values[middle]) / 2
}

// count writes a whole number with commas.
func count(x float64) string {
	digits := strconv.FormatFloat(x, 'f', 0, 64)
	for i := len(digits) - 3; i > 0; i -= 3 {
		digits = digits[:i] + "," + digits[i:]
	}
	return digits
}

func millis(d time.Duration) string {
	return strconv.FormatFloat(d.Seconds()*1000, 'f', 2, 64)
}

// describe says on what machine, and which Consul, the figures are of.
func describe(consul string) string {
	version := "Consul of unknown version"
	if output, err := exec.Command(consul, "version").Output(); err == nil {
		version, _, _ = strings.Cut(string(output), "\n")
	}
	return fmt.Sprintf("%d CPUs, %s/%s, %s", runtime.NumCPU(), runtime.GOOS, runtime.GOARCH, version)
}

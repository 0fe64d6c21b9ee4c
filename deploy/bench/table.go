package main

import (
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"
	"time"
)

// table is one of those in the README: a row for each workload, a column for each system.
type table struct {
	title string
	cell  func(rounds []figures) string
	of    func(figures) float64 // what the ratio is of
}

func rate(f figures) float64 { return f.rate }
func cpu(f figures) float64  { return f.cpu }
func p99(f figures) float64  { return float64(f.p99) }

func tables() []table {
	return []table{
		{"Requests a second", func(rounds []figures) string { return count(median(rounds, rate)) }, rate},
		{"p50 / p99 / p99.9 in ms, ratio of the p99", times, p99},
		{"CPU seconds for a million, memory", costs, cpu},
	}
}

// writeTables writes the medians of all rounds as tables in Markdown; in brackets is the ratio of the first system to each other.
func writeTables(out io.Writer, systems []*system, results []result) error {
	var text strings.Builder
	for _, t := range tables() {
		fmt.Fprintf(&text, "\n| %s | %s", t.title, systems[0].name)
		for _, s := range systems[1:] {
			fmt.Fprintf(&text, " | %s (ratio)", s.name)
		}
		text.WriteString(" |\n| ---" + strings.Repeat(" | ---:", len(systems)) + " |\n")
		for _, r := range results {
			t.row(&text, r)
		}
	}
	_, err := io.WriteString(out, text.String())
	return err
}

func (t table) row(text *strings.Builder, r result) {
	fmt.Fprintf(text, "| %s", r.workload.name())
	for i, rounds := range r.rounds {
		switch {
		case len(rounds) == 0:
			fmt.Fprintf(text, " | %s", r.without[i])
		case i == 0 || len(r.rounds[0]) == 0:
			fmt.Fprintf(text, " | %s", t.cell(rounds))
		default:
			fmt.Fprintf(text, " | %s (%.2f)", t.cell(rounds), ratio(median(r.rounds[0], t.of), median(rounds, t.of)))
		}
	}
	text.WriteString(" |\n")
}

// ratio is zero where there is nothing to divide by, as with the CPU time of few requests, which has a unit of 10 ms.
func ratio(a, b float64) float64 {
	if b == 0 {
		return 0
	}
	return a / b
}

func times(rounds []figures) string {
	of := func(time func(figures) time.Duration) string {
		return short(median(rounds, func(f figures) float64 { return time(f).Seconds() * 1000 }))
	}
	return of(func(f figures) time.Duration { return f.p50 }) + " / " +
		of(func(f figures) time.Duration { return f.p99 }) + " / " +
		of(func(f figures) time.Duration { return f.p999 })
}

func costs(rounds []figures) string {
	return count(median(rounds, cpu)) + " s, " + mebibytes(median(rounds, func(f figures) float64 { return f.memory })) + " MiB"
}

// median of one figure over the rounds, of which there is at least one.
func median[T any](rounds []T, of func(T) float64) float64 {
	values := make([]float64, len(rounds))
	for i, round := range rounds {
		values[i] = of(round)
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

// short writes a number with three digits that count, and whole ones above that.
func short(x float64) string {
	switch {
	case x < 9.995:
		return strconv.FormatFloat(x, 'f', 2, 64)
	case x < 99.95:
		return strconv.FormatFloat(x, 'f', 1, 64)
	default:
		return count(x)
	}
}

func millis(d time.Duration) string { return short(d.Seconds() * 1000) }

func mebibytes(bytes float64) string { return count(bytes / (1 << 20)) }

package main

import (
	"fmt"
	"io"
	"slices"
	"strings"
	"time"
)

// writeTrials writes the faults as a table in Markdown: of all rounds the sum of the counts, and the worst of the times.
func writeTrials(out io.Writer, cfg config, trials [][]trial) error {
	var text strings.Builder
	text.WriteString("\n| A node under load | requests | failed | longest gap, ms | before it, ms | longest request, ms |\n| --- | ---: | ---: | ---: | ---: | ---: |\n")
	for i, f := range faults() {
		requests, failed := 0, 0
		for _, t := range trials[i] {
			requests += t.requests
			failed += t.failed
		}
		fmt.Fprintf(&text, "| %s | %s | %s | %s | %s | %s |\n", f.name, count(float64(requests)), count(float64(failed)),
			worst(trials[i], func(t trial) time.Duration { return t.after }),
			worst(trials[i], func(t trial) time.Duration { return t.before }),
			worst(trials[i], func(t trial) time.Duration { return t.longest }))
	}
	fmt.Fprintf(&text, "\nAll of %s, the worst of each time: %v as it is, %v with the fault, %v after it, one node of %d after the other. Load: wrk with 64 connections, "+
		"half reads, half writes of 100 B, as many as it can; beside it a probe sends a read or a write every %v. Gap: the longest time in which no read, or no write, of the probe was answered well; before it: the same without a fault.\n",
		some(cfg.rounds, "round"), cfg.each, cfg.each, cfg.each, cfg.nodes, every)
	text.WriteString(warning(median(slices.Concat(trials...), func(t trial) float64 { return t.strange })))
	_, err := io.WriteString(out, text.String())
	return err
}

func worst(trials []trial, of func(trial) time.Duration) string {
	longest := time.Duration(0)
	for _, t := range trials {
		longest = max(longest, of(t))
	}
	return millis(longest)
}

// writeCrowds writes the crowds as a table in Markdown: the medians of all rounds.
func writeCrowds(out io.Writer, cfg config, crowds []crowd, machine string) error {
	var text strings.Builder
	fmt.Fprintf(&text, "\n| %s clients at once | peak, a second | goodput, a second | of the peak | refused | broken | p50, ms | p99, ms | refused within, ms |\n"+
		"| --- | ---: | ---: | ---: | ---: | ---: | ---: | ---: | ---: |\n", count(crowded))
	for _, method := range []string{"PUT", "GET"} {
		rounds := slices.DeleteFunc(slices.Clone(crowds), func(c crowd) bool { return c.method != method })
		of := func(figure func(crowd) float64) float64 { return median(rounds, figure) }
		fmt.Fprintf(&text, "| %s | %s | %s | %.0f %% | %s | %s | %s | %s | %s |\n", method,
			count(of(func(c crowd) float64 { return c.peak })), count(of(func(c crowd) float64 { return c.goodput })),
			of(func(c crowd) float64 { return 100 * ratio(c.goodput, c.peak) }),
			count(of(func(c crowd) float64 { return float64(c.seen.refused) })), count(of(func(c crowd) float64 { return float64(c.seen.broken) })),
			short(of(func(c crowd) float64 { return c.seen.p50.Seconds() * 1000 })), short(of(func(c crowd) float64 { return c.seen.p99.Seconds() * 1000 })),
			refusedWithin(rounds))
	}
	fmt.Fprintf(&text, "\nMedians of %s of %v: %s. Peak: with 64 connections, just before. Goodput: answers of 2xx. "+
		"Refused: answers of 4xx and 5xx, in which their times count as well; broken: connections and requests without an answer. "+
		"Refused within: the slowest 503 that the probe was answered beside the crowd, in all rounds, and how many there were.\n",
		some(cfg.rounds, "round"), cfg.each, machine)
	text.WriteString(warning(median(crowds, func(c crowd) float64 { return c.strange })))
	_, err := io.WriteString(out, text.String())
	return err
}

func refusedWithin(rounds []crowd) string {
	slowest, shed := time.Duration(0), 0
	for _, c := range rounds {
		slowest, shed = max(slowest, c.slowestRefusal), shed+c.refusals
	}
	if shed == 0 {
		return "none seen"
	}
	return fmt.Sprintf("%s (%d)", millis(slowest), shed)
}

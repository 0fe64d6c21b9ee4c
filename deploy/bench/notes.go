package main

import (
	"fmt"
	"io"
	"runtime"
	"strings"
)

// tolerated is how many CPUs other programs may take before the figures come with a warning.
const tolerated = 0.2

// writeNotes says what the tables are of.
func writeNotes(out io.Writer, cfg config, machine string, systems []*system, absent []string, results []result) error {
	var text strings.Builder
	fmt.Fprintf(&text, "\nMedians of %s of %v each, in turns on the same machine, load generator (wrk) included: %s. Ratio: %s by the other. "+
		"%s keys with 100 B", some(cfg.rounds, "round"), cfg.each, machine, systems[0].name, count(float64(cfg.keys)))
	if sizes := allValues(cfg.keys); cfg.sizes != onlySmall {
		fmt.Fprintf(&text, ", %s with 10 KiB, %s with 1 MiB", count(float64(sizes[1].keys)), count(float64(sizes[2].keys)))
	}
	text.WriteString(", a random one each time. CPU and memory: of all processes of a system together, without wrk; memory (Pss) after the measurement, with files that are mapped.")
	for _, s := range systems {
		text.WriteString(" " + s.about)
	}
	for _, why := range absent {
		text.WriteString(" " + why)
	}
	idle, strange := taken(results)
	fmt.Fprintf(&text, " All are up all the time; those that aren't asked take %.2f CPUs at most, other programs %.2f.\n", idle, strange)
	for i, s := range systems {
		if n := repeats(results, i); n > 0 {
			fmt.Fprintf(&text, "\nMade again, because %s did not stay whole or failed requests: %s.\n", s.name, some(n, "measurement"))
		}
	}
	text.WriteString(warning(strange))
	_, err := io.WriteString(out, text.String())
	return err
}

// warning is for below figures of a machine that had other things to do.
func warning(strange float64) string {
	if strange <= tolerated {
		return ""
	}
	return "\n**The machine was busy with other programs: on one that is not, the rates and times are others.**\n"
}

func repeats(results []result, system int) int {
	sum := 0
	for _, r := range results {
		sum += r.repeated[system]
	}
	return sum
}

// taken is the CPUs that the idle systems and the other programs took, in the workload where it was most.
func taken(results []result) (idle, strange float64) {
	for _, r := range results {
		for _, rounds := range r.rounds {
			if len(rounds) > 0 {
				idle = max(idle, median(rounds, func(f figures) float64 { return f.idle }))
				strange = max(strange, median(rounds, func(f figures) float64 { return f.strange }))
			}
		}
	}
	return idle, strange
}

// machine says on what, and with which versions, the figures were measured.
func machine(p programs) string {
	parts := []string{fmt.Sprintf("%d CPUs, %s/%s", runtime.NumCPU(), runtime.GOOS, runtime.GOARCH), version(p.consul, "version")}
	if p.etcd != "" {
		parts = append(parts, version(p.etcd, "--version"))
	}
	if p.nginx != "" {
		parts = append(parts, version(p.nginx, "-v"))
	}
	return strings.Join(append(parts, version(p.wrk, "-v")), ", ")
}

package main

import (
	"fmt"
	"os"
	"strconv"
	"strings"
	"time"
)

// usage is the CPU time of the system under load, of the other ones, and of all programs together, up to a moment.
type usage struct {
	at                    time.Time
	loaded, idle, machine time.Duration
}

// spent is what was used between two moments.
type spent struct {
	took, loaded, idle, machine time.Duration
}

func usageOf(loaded *system, idle []*system) (u usage, err error) {
	u.at = time.Now()
	if u.loaded, err = cpuTime(loaded.children); err != nil {
		return usage{}, err
	}
	for _, s := range idle {
		used, err := cpuTime(s.children)
		if err != nil {
			return usage{}, err
		}
		u.idle += used
	}
	u.machine, err = machineTime()
	return u, err
}

func (u usage) since(before usage) spent {
	return spent{u.at.Sub(before.at), u.loaded - before.loaded, u.idle - before.idle, u.machine - before.machine}
}

// newOthers returns a function that says how many CPUs have been taken since by programs other than this one and its children.
// Unlike usageOf it doesn't mind children that die meanwhile.
func newOthers(sys *system) (func() (float64, error), error) {
	began := time.Now()
	before, err := otherTime(sys.children)
	return func() (float64, error) {
		after, err := otherTime(sys.children)
		return max(0, after-before).Seconds() / time.Since(began).Seconds(), err
	}, err
}

func otherTime(alive []*child) (time.Duration, error) {
	machine, err := machineTime()
	if err != nil {
		return 0, err
	}
	used, err := cpuTime(alive)
	if err != nil {
		return 0, err
	}
	own, err := ownTime()
	return machine - used - own, err
}

// memoryOf is the bytes of memory of the processes: what each has alone, and its part of what it shares (Pss), files that are
// mapped into memory included.
func memoryOf(children []*child) (int64, error) {
	var sum int64
	for _, ch := range children {
		rollup, err := os.ReadFile(fmt.Sprintf("/proc/%d/smaps_rollup", ch.cmd.Process.Pid))
		if err != nil {
			return 0, fmt.Errorf("memory of %s: %w", ch.name, err)
		}
		bytes, err := parseRollup(string(rollup))
		if err != nil {
			return 0, fmt.Errorf("memory of %s: %w", ch.name, err)
		}
		sum += bytes
	}
	return sum, nil
}

// parseRollup reads the line `Pss: <n> kB` of proc_pid_smaps(5).
func parseRollup(rollup string) (int64, error) {
	for line := range strings.Lines(rollup) {
		if fields := strings.Fields(line); len(fields) == 3 && fields[0] == "Pss:" && fields[2] == "kB" {
			kilobytes, err := strconv.ParseInt(fields[1], 10, 64)
			return kilobytes << 10, err
		}
	}
	return 0, fmt.Errorf("no line Pss in %q", rollup)
}

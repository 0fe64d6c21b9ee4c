package main

import (
	"fmt"
	"os"
	"strconv"
	"strings"
	"time"
)

// tick is the unit of the times in /proc/<pid>/stat: USER_HZ is 100 on every machine that Go runs on.
const tick = 10 * time.Millisecond

// cpuTime is what the processes have used since they started, in user and in system mode, with all of their threads and with
// the children that they have waited for.
func cpuTime(children []*child) (time.Duration, error) {
	var sum time.Duration
	for _, ch := range children {
		stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", ch.cmd.Process.Pid))
		if err != nil {
			return 0, fmt.Errorf("CPU time of %s: %w", ch.name, err)
		}
		used, err := parseStat(string(stat))
		if err != nil {
			return 0, fmt.Errorf("CPU time of %s: %w", ch.name, err)
		}
		sum += used
	}
	return sum, nil
}

// parseStat adds up utime, stime, cutime and cstime, the fields 14 to 17 of proc_pid_stat(5).
func parseStat(stat string) (time.Duration, error) {
	// The second field is the program's name in parentheses, and may hold anything, parentheses and spaces too.
	_, rest, _ := cutLast(stat, ")")
	fields := strings.Fields(rest)
	const first = 14 - 3 // what follows the name starts with field 3
	if len(fields) < first+4 {
		return 0, fmt.Errorf("not a line of /proc/<pid>/stat: %q", stat)
	}
	var ticks int64
	for _, field := range fields[first : first+4] {
		n, err := strconv.ParseInt(field, 10, 64)
		if err != nil {
			return 0, fmt.Errorf("not a line of /proc/<pid>/stat: %w", err)
		}
		ticks += n
	}
	return time.Duration(ticks) * tick, nil
}

// machineTime is what all programs of the machine have used since it started, in user and in system mode.
func machineTime() (time.Duration, error) {
	stat, err := os.ReadFile("/proc/stat")
	if err != nil {
		return 0, fmt.Errorf("CPU time of the machine: %w", err)
	}
	return parseMachineStat(string(stat))
}

// parseMachineStat adds up user, nice and system of the first line of proc_stat(5).
func parseMachineStat(stat string) (time.Duration, error) {
	var user, nice, system int64
	if _, err := fmt.Sscanf(stat, "cpu %d %d %d ", &user, &nice, &system); err != nil {
		return 0, fmt.Errorf("not the start of /proc/stat: %w", err)
	}
	return time.Duration(user+nice+system) * tick, nil
}

func cutLast(s, separator string) (before, after string, found bool) {
	i := strings.LastIndex(s, separator)
	if i < 0 {
		return s, "", false
	}
	return s[:i], s[i+len(separator):], true
}

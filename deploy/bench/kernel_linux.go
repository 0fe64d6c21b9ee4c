package main

import (
	"fmt"
	"syscall"
	"time"
)

// raiseFiles lets the children open as many files as this user may: wrk and nginx have one for each connection.
func raiseFiles() error {
	var limit syscall.Rlimit
	if err := syscall.Getrlimit(syscall.RLIMIT_NOFILE, &limit); err != nil {
		return fmt.Errorf("limit of open files: %w", err)
	}
	limit.Cur = limit.Max
	if err := syscall.Setrlimit(syscall.RLIMIT_NOFILE, &limit); err != nil {
		return fmt.Errorf("limit of open files: %w", err)
	}
	if limit.Cur < 2*crowded {
		return fmt.Errorf("at most %d open files are allowed, %d are needed: ulimit -Hn raises that", limit.Cur, 2*crowded)
	}
	return nil
}

// ownTime is the CPU time of this program and of its children that have ended.
func ownTime() (time.Duration, error) {
	var sum time.Duration
	for _, who := range []int{syscall.RUSAGE_SELF, syscall.RUSAGE_CHILDREN} {
		var r syscall.Rusage
		if err := syscall.Getrusage(who, &r); err != nil {
			return 0, fmt.Errorf("CPU time of the bench itself: %w", err)
		}
		sum += time.Duration(r.Utime.Nano() + r.Stime.Nano())
	}
	return sum, nil
}

// Signals that stop a process where it is, and that let it go on.
const (
	freezes = syscall.SIGSTOP
	thaws   = syscall.SIGCONT
)

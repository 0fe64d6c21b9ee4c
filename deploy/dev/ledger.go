package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/gofrs/flock"
)

// ledger is the file that names the processes of a run, a line each: id, space, command line. It is locked while the run
// lasts, so that two runs never share the data, and read by the next run, which ends what a killed one left.
type ledger struct {
	path string
	lock *flock.Flock
}

func openLedger(data string) (*ledger, error) {
	if err := os.MkdirAll(data, 0o755); err != nil {
		return nil, fmt.Errorf("create the data directory: %w", err)
	}
	path := filepath.Join(data, "dev.pid")
	lock := flock.New(path)
	switch ok, err := lock.TryLock(); {
	case err != nil:
		return nil, fmt.Errorf("lock %s: %w", path, err)
	case !ok:
		return nil, fmt.Errorf("another `make run` works in %s: stop that one first", data)
	}
	return &ledger{path: path, lock: lock}, nil
}

// write replaces the list. With no children it leaves the file empty: a file that others lock is not to be removed.
func (l *ledger) write(children []*child) error {
	var list strings.Builder
	for _, ch := range children {
		fmt.Fprintf(&list, "%d %s\n", ch.cmd.Process.Pid, strings.Join(ch.cmd.Args, " "))
	}
	if err := os.WriteFile(l.path, []byte(list.String()), 0o644); err != nil {
		return fmt.Errorf("note the processes: %w", err)
	}
	return nil
}

func (l *ledger) close() error { return l.lock.Close() }

// endLeftovers ends the processes of the list that still run, and returns how many those were. A process is ours when its id
// and its whole command line, absolute paths included, are those of the list; any other is left alone.
func (l *ledger) endLeftovers(ctx context.Context, patience time.Duration) (int, error) {
	content, err := os.ReadFile(l.path)
	if err != nil {
		return 0, fmt.Errorf("read what an earlier run left: %w", err)
	}
	ended := 0
	for line := range strings.Lines(string(content)) {
		id, want, ok := strings.Cut(strings.TrimSpace(line), " ")
		pid, err := strconv.Atoi(id)
		if !ok || err != nil || pid <= 1 || commandLine(ctx, pid) != want {
			continue
		}
		if err := end(ctx, pid, want, patience); err != nil {
			return ended, fmt.Errorf("end process %d (%s), left by an earlier run: %w", pid, want, err)
		}
		ended++
	}
	return ended, nil
}

// end asks the process to stop, kills it when it doesn't, and returns when it is gone.
func end(ctx context.Context, pid int, want string, patience time.Duration) error {
	for _, signal := range []syscall.Signal{syscall.SIGTERM, syscall.SIGKILL} {
		if err := syscall.Kill(pid, signal); err != nil && !errors.Is(err, syscall.ESRCH) {
			return err
		}
		within, cancel := context.WithTimeout(ctx, patience)
		gone := poll(within, 50*time.Millisecond, func() bool { return commandLine(ctx, pid) != want })
		cancel()
		if gone {
			return nil
		}
	}
	return errors.New("it outlived SIGKILL")
}

// poll returns true when done does, false when ctx ends first.
func poll(ctx context.Context, every time.Duration, done func() bool) bool {
	ticker := time.NewTicker(every)
	defer ticker.Stop()
	for !done() {
		select {
		case <-ctx.Done():
			return false
		case <-ticker.C:
		}
	}
	return true
}

// commandLine is the command line of a process, its words joined by spaces; empty if there is no such process.
func commandLine(ctx context.Context, pid int) string {
	if raw, err := os.ReadFile(fmt.Sprintf("/proc/%d/cmdline", pid)); err == nil {
		return strings.TrimSpace(strings.ReplaceAll(string(raw), "\x00", " "))
	}
	raw, err := exec.CommandContext(ctx, "ps", "-ww", "-o", "command=", "-p", strconv.Itoa(pid)).Output()
	if err != nil {
		return ""
	}
	return strings.TrimSpace(string(raw))
}

//go:build integration && linux

package process

import (
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"

	"ringkv/integration/load"
)

// inject makes system calls of a running process fail, wait or kill it, in the words of strace(1), such as fsync:error=EIO. The function that it
// returns ends that, and does nothing once the process has ended.
func inject(t testing.TB, p *process, what string) (stop func()) {
	t.Helper()
	need(t, "strace", "the package of that name")
	call, _, _ := strings.Cut(what, ":")
	tracer := exec.Command("strace", "-f", "-qq", "-o", os.DevNull, "-e", "trace="+call, "-e", "inject="+what, "-p", strconv.Itoa(p.pid()))
	var said bytes.Buffer
	tracer.Stderr = &said
	tracer.SysProcAttr = &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGKILL}
	if err := tracer.Start(); err != nil {
		t.Fatal(err)
	}
	exited := make(chan struct{})
	go func() {
		defer close(exited)
		_ = tracer.Wait() // by a signal, or because there is nothing left to trace
	}()
	stop = func() {
		_ = tracer.Process.Signal(syscall.SIGINT) // it may be gone
		<-exited
	}
	t.Cleanup(stop)
	load.Eventually(t, patience, "strace holds all threads of "+p.name, func() error {
		select {
		case <-exited:
			if traced(p.pid()) == errGone {
				return nil
			}
			t.Fatalf("strace -e inject=%s: %s", what, said.String())
		default:
		}
		err := traced(p.pid())
		if err == errGone {
			return nil
		}
		return err
	})
	return stop
}

var errGone = fmt.Errorf("the process is gone")

// traced returns nil if each thread of a process has a tracer, and errGone if there is no such process.
func traced(pid int) error {
	tasks, err := filepath.Glob(fmt.Sprintf("/proc/%d/task/*/status", pid))
	if err != nil || len(tasks) == 0 {
		return errGone
	}
	for _, task := range tasks {
		status, err := os.ReadFile(task)
		if os.IsNotExist(err) {
			continue // a thread that has just ended
		}
		if err == nil && strings.Contains(string(status), "\nTracerPid:\t0\n") {
			err = fmt.Errorf("%s has no tracer", task)
		}
		if err != nil && !strings.Contains(err.Error(), "no such process") {
			return err
		}
	}
	return nil
}

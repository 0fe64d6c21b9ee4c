//go:build integration && linux

package process

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"sync"
	"syscall"
	"testing"
	"time"
)

// patience is for one verb, on a machine with other work to do.
const patience = 2 * time.Minute

// A process is a node or a gateway: what it runs stays, while its processes come and go. Its methods may be called concurrently.
type process struct {
	name  string
	addr  string // host:port that it listens on
	path  string
	args  []string
	env   []string // beside the test's own
	group uint32   // group id to run under, by which firewall rules know it; 0 is that of the test
	files int      // how many descriptors it may have; 0 is what the test may
	log   string   // file that all its processes write to

	mu     sync.Mutex // guards what follows
	cmd    *exec.Cmd  // nil before the first start
	exited chan struct{}
}

// start starts it, with more in its environment if that is wanted for once. It must not run.
func (p *process) start(env ...string) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	log, err := os.OpenFile(p.log, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	cmd := exec.Command(p.path, p.args...)
	if p.files > 0 {
		cmd = exec.Command("/bin/sh", slices.Concat([]string{"-c", fmt.Sprintf(`ulimit -n %d; exec "$0" "$@"`, p.files), p.path}, p.args)...)
	}
	cmd.Env = slices.Concat(os.Environ(), p.env, env)
	cmd.Stdout, cmd.Stderr = log, log
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGKILL}
	if p.group != 0 {
		cmd.SysProcAttr.Credential = &syscall.Credential{Gid: p.group, NoSetGroups: true}
	}
	if err := errors.Join(cmd.Start(), log.Close()); err != nil {
		return fmt.Errorf("start %s: %w", p.name, err)
	}
	exited := make(chan struct{})
	go func() {
		defer close(exited)
		_ = cmd.Wait() // how it ended is in cmd.ProcessState
	}()
	p.cmd, p.exited = cmd, exited
	return nil
}

func (p *process) now() (*exec.Cmd, chan struct{}) {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.cmd, p.exited
}

// pid returns the id of the process that runs, or ran last.
func (p *process) pid() int {
	cmd, _ := p.now()
	return cmd.Process.Pid
}

// signal sends a signal. A process that has ended takes any.
func (p *process) signal(s syscall.Signal) error {
	cmd, _ := p.now()
	if err := cmd.Process.Signal(s); err != nil && !errors.Is(err, os.ErrProcessDone) {
		return fmt.Errorf("send %v to %s: %w", s, p.name, err)
	}
	return nil
}

// end sends a signal and returns when the process is gone.
func (p *process) end(s syscall.Signal) error {
	if err := p.signal(s); err != nil {
		return err
	}
	return p.awaitExit()
}

// awaitExit returns when the process is gone.
func (p *process) awaitExit() error {
	_, exited := p.now()
	select {
	case <-exited:
		return nil
	case <-time.After(patience):
		return fmt.Errorf("%s still runs after %v", p.name, patience)
	}
}

// gone returns a channel that is closed when the process has ended.
func (p *process) gone() <-chan struct{} {
	_, exited := p.now()
	return exited
}

// ended says how a process that is gone ended.
func (p *process) ended() *os.ProcessState {
	cmd, exited := p.now()
	<-exited
	return cmd.ProcessState
}

// discard ends the process, if it was ever started, and shows the end of its log if the test has failed.
func (p *process) discard(t testing.TB) {
	if cmd, _ := p.now(); cmd != nil {
		if err := p.end(syscall.SIGKILL); err != nil {
			t.Error(err)
		}
	}
	if t.Failed() {
		t.Logf("the end of the log of %s:\n%s", p.name, p.tail(6<<10))
	}
}

// tail returns the end of the log.
func (p *process) tail(most int) string {
	text, err := os.ReadFile(filepath.Clean(p.log))
	if err != nil {
		return err.Error()
	}
	return string(text[max(0, len(text)-most):])
}

package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync/atomic"
	"syscall"
	"time"
)

// patience is how long a process gets to stop in order before it is killed.
const patience = 10 * time.Second

// command is a process to start.
type command struct {
	name string // in messages, and of its log
	path string
	args []string
	env  []string // beyond what all get, NAME=value
}

// child is a process that was started.
type child struct {
	name   string
	from   command
	cmd    *exec.Cmd
	done   chan struct{} // closed when it has ended
	killed atomic.Bool   // on purpose: its end isn't the end of the run
}

// crew is the processes in the order of their start. Not safe for concurrent use.
type crew struct {
	dir      string // for their data and logs
	children []*child
	lost     context.CancelCauseFunc // told of the first one that ends
}

// start starts a process, which writes its log into the crew's directory.
func (c *crew) start(from command) (*child, error) {
	log, err := os.OpenFile(filepath.Join(c.dir, from.name+".log"), os.O_CREATE|os.O_WRONLY|os.O_APPEND, 0o600)
	if err != nil {
		return nil, fmt.Errorf("start %s: %w", from.name, err)
	}
	ch := &child{name: from.name, from: from, cmd: exec.Command(from.path, from.args...), done: make(chan struct{})}
	ch.cmd.Env = append(environment(os.Environ()), from.env...)
	ch.cmd.Stdout, ch.cmd.Stderr = log, log
	ch.cmd.SysProcAttr = attributes()
	err = ch.cmd.Start()
	if err := errors.Join(err, log.Close()); err != nil {
		return nil, fmt.Errorf("start %s: %w", from.name, err)
	}
	c.children = append(c.children, ch)
	go func() {
		err := ch.cmd.Wait()
		if !ch.killed.Load() {
			c.lost(fmt.Errorf("%s ended by itself: %v", ch.name, ended(err)))
		}
		close(ch.done)
	}()
	return ch, nil
}

func ended(err error) string {
	if err == nil {
		return "exit status 0"
	}
	return err.Error()
}

// environment is without what would set up the systems differently from how they are described.
func environment(all []string) []string {
	return slices.DeleteFunc(slices.Clone(all), func(variable string) bool {
		return strings.HasPrefix(variable, "CONSUL_") || strings.HasPrefix(variable, "RINGKV_") || strings.HasPrefix(variable, "ETCD_")
	})
}

// stop ends the processes, the last one first, and returns when they are gone: as an error if one had to be killed.
func (c *crew) stop() error {
	var problems []error
	for _, ch := range slices.Backward(c.children) {
		problems = append(problems, ch.stop(patience))
	}
	return errors.Join(problems...)
}

func (ch *child) stop(patience time.Duration) error {
	// os.Process knows whether the child has been waited for, so that no other process of the same id can be hit.
	if err := ch.cmd.Process.Signal(syscall.SIGTERM); err != nil && !errors.Is(err, os.ErrProcessDone) {
		return fmt.Errorf("stop %s: %w", ch.name, err)
	}
	timer := time.NewTimer(patience)
	defer timer.Stop()
	select {
	case <-ch.done:
		return nil
	case <-timer.C:
	}
	if err := ch.cmd.Process.Kill(); err != nil && !errors.Is(err, os.ErrProcessDone) {
		return fmt.Errorf("kill %s: %w", ch.name, err)
	}
	<-ch.done
	return fmt.Errorf("%s did not stop within %v and was killed", ch.name, patience)
}

// kill ends the child at once, as kill -9 does, and returns when it is gone.
func (ch *child) kill() error {
	ch.killed.Store(true)
	if err := ch.cmd.Process.Kill(); err != nil {
		return fmt.Errorf("kill %s: %w", ch.name, err)
	}
	<-ch.done
	return nil
}

// freeze stops the child where it is, until thaw lets it go on.
func (ch *child) freeze() error { return ch.signal(freezes) }

func (ch *child) thaw() error { return ch.signal(thaws) }

func (ch *child) signal(s syscall.Signal) error {
	if err := ch.cmd.Process.Signal(s); err != nil {
		return fmt.Errorf("%v to %s: %w", s, ch.name, err)
	}
	return nil
}

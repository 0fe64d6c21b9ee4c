package main

import (
	"context"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"
)

// newCrew ends what it has started with the test. The threads that start children must outlast them.
func newCrew(t *testing.T) (*crew, context.Context) {
	t.Helper()
	runtime.LockOSThread()
	t.Cleanup(runtime.UnlockOSThread)
	ctx, lost := context.WithCancelCause(t.Context())
	return &crew{dir: t.TempDir(), lost: lost}, ctx
}

func shell(t *testing.T, c *crew, script string) *child {
	t.Helper()
	ch, err := c.start(command{name: "shell", path: "/bin/sh", args: []string{"-c", script}})
	if err != nil {
		t.Fatal(err)
	}
	return ch
}

func TestStopEndsAllChildren(t *testing.T) {
	c, _ := newCrew(t)
	first, second := shell(t, c, "exec sleep 60"), shell(t, c, "exec sleep 60")
	if err := c.stop(); err != nil {
		t.Fatal(err)
	}
	for _, ch := range []*child{first, second} {
		if ch.cmd.ProcessState == nil {
			t.Errorf("process %d was not waited for", ch.cmd.Process.Pid)
		}
	}
}

func TestStopKillsWhatDoesNotStop(t *testing.T) {
	c, _ := newCrew(t)
	ch := shell(t, c, `trap "" TERM; echo deaf; exec sleep 60`)
	err := eventually(t.Context(), 10*time.Second, func(context.Context) error {
		if log, err := os.ReadFile(filepath.Join(c.dir, "shell.log")); err != nil || string(log) != "deaf\n" {
			return os.ErrNotExist
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	if err := ch.stop(time.Millisecond); err == nil || !strings.Contains(err.Error(), "was killed") {
		t.Errorf("stop = %v, want that it was killed", err)
	}
}

func TestAChildThatEndsEndsTheRun(t *testing.T) {
	c, ctx := newCrew(t)
	shell(t, c, "exit 3")
	<-ctx.Done()
	if cause := context.Cause(ctx); !strings.Contains(cause.Error(), "shell ended by itself: exit status 3") {
		t.Errorf("cause = %v", cause)
	}
	if err := c.stop(); err != nil {
		t.Errorf("stop of what has ended = %v", err)
	}
}

func TestAKilledChildIsNotTheEnd(t *testing.T) {
	c, ctx := newCrew(t)
	first := shell(t, c, "exec sleep 60")
	if err := first.kill(); err != nil {
		t.Fatal(err)
	}
	again, err := c.start(first.from)
	if err != nil {
		t.Fatal(err)
	}
	if err := c.stop(); err != nil {
		t.Errorf("stop = %v", err)
	}
	if again.cmd.ProcessState == nil {
		t.Errorf("process %d was not waited for", again.cmd.Process.Pid)
	}
	if cause := context.Cause(ctx); cause != nil && !strings.HasPrefix(cause.Error(), "shell ended by itself: signal: terminated") {
		t.Errorf("cause = %v, want nothing of the one that was killed", cause)
	}
}

func TestEnvironment(t *testing.T) {
	got := environment([]string{"PATH=/bin", "CONSUL_HTTP_TOKEN=secret", "RINGKV_STORE=memory", "ETCD_NAME=x", "HOME=/root"})
	if want := []string{"PATH=/bin", "HOME=/root"}; !slices.Equal(got, want) {
		t.Errorf("environment = %q, want %q", got, want)
	}
}

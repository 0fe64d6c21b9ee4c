package membership

import (
	"context"
	"errors"
	"log/slog"
	"net"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"
)

func TestNewFixedRefusesWhatItCannotAsk(t *testing.T) {
	for _, c := range []struct {
		nodes []string
		want  string
	}{
		{nil, "empty"},
		{[]string{"a:5000", "b"}, `"b" in the list is not host:port`},
		{[]string{":5000"}, "not host:port"},
		{[]string{""}, "not host:port"},
		{[]string{"a:http"}, "no port"},
		{[]string{"a:0"}, "no port"},
		{[]string{"a:65536"}, "no port"},
		{[]string{"a:5000", "b:5000", "a:5000"}, `"a:5000" stands twice`},
	} {
		if _, err := NewFixed(c.nodes, nil, quiet()); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("NewFixed(%q) = %v, want an error with %q", c.nodes, err, c.want)
		}
	}
}

func fixed(t *testing.T, c *fakeConsul, nodes ...string) *Fixed {
	t.Helper()
	f, err := NewFixed(nodes, c.probe, quiet())
	if err != nil {
		t.Fatal(err)
	}
	return f
}

func TestFixedFollowsWhoAnswers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newFakeConsul("c:1", "a:1")
		f := fixed(t, c, "c:1", "a:1", "b:1")
		if f.Snapshot() != nil {
			t.Error("a snapshot before anybody was asked")
		}
		wakes := f.Subscribe()
		run(t, f.Run)
		<-f.Ready()
		wantMembers(t, f, "a:1", "c:1")
		if got := f.Snapshot().Members[0].Addr; got != "a:1" {
			t.Errorf("address of a:1 = %q", got)
		}
		<-wakes
		c.join("b:1")
		<-wakes
		wantMembers(t, f, "a:1", "b:1", "c:1")
		c.die("a:1", "b:1", "c:1")
		start := time.Now()
		<-wakes
		wantMembers(t, f) // each was asked, so that none is an answer
		if took := time.Since(start); took > roundEvery+roundEvery/10 {
			t.Errorf("seen after %v, want within a round", took)
		}
		if got := ids(f.Members()); strings.Join(got, " ") != "a:1 b:1 c:1" {
			t.Errorf("Members = %v, want the whole list, sorted", got)
		}
		select {
		case <-wakes:
			t.Error("a wake-up without a change")
		case <-time.After(10 * roundEvery):
		}
		if age := time.Since(f.LastContact()); age > 2*roundEvery {
			t.Errorf("last contact %v ago", age)
		}
	})
}

func TestFixedDoesNotWaitForASlowNode(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newFakeConsul("a:1", "b:1")
		probe := func(ctx context.Context, m Member) error {
			if m.ID == "b:1" {
				sleep(ctx, time.Hour)
			}
			return c.probe(ctx, m)
		}
		f, err := NewFixed([]string{"a:1", "b:1"}, probe, quiet())
		if err != nil {
			t.Fatal(err)
		}
		start := time.Now()
		run(t, f.Run)
		<-f.Ready()
		wantMembers(t, f, "a:1")
		if took := time.Since(start); took > roundTimeout {
			t.Errorf("the first round took %v, want at most %v", took, roundTimeout)
		}
	})
}

func TestFixedStopsPromptly(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newFakeConsul("a:1")
		f := fixed(t, c, "a:1")
		ctx, cancel := context.WithCancel(t.Context())
		done := make(chan error, 1)
		go func() { done <- f.Run(ctx) }()
		<-f.Ready()
		c.do(func() { c.latency = time.Hour })
		sleep(t.Context(), roundEvery+roundTimeout/2)
		cancel()
		synctest.Wait()
		select {
		case err := <-done:
			if err != nil {
				t.Errorf("Run = %v, want nil", err)
			}
		default:
			t.Error("Run goes on after it was cancelled")
		}
		wantMembers(t, f, "a:1") // and not: nobody answered
	})
}

// Somebody who names a node in another way than it names itself finds out from the log.
func TestFixedSaysWhyANodeDoesNotPass(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var why atomic.Pointer[error]
		say := func(err error) { why.Store(&err) }
		say(&net.OpError{Op: "read", Source: &net.TCPAddr{Port: 40001}, Err: errors.New("reset")})
		var text strings.Builder
		o := Options{Log: slog.New(slog.NewTextHandler(&text, nil)), Random: quiet().Random}
		f, err := NewFixed([]string{"a:1"}, func(context.Context, Member) error { return *why.Load() }, o)
		if err != nil {
			t.Fatal(err)
		}
		run(t, f.Run)
		rounds := func() { sleep(t.Context(), 5*roundEvery) }
		rounds()
		say(&net.OpError{Op: "read", Source: &net.TCPAddr{Port: 40002}, Err: errors.New("reset")})
		rounds()
		say(errors.New("this is localhost:1"))
		rounds()
		say(nil)
		rounds()
		say(errors.New("this is localhost:1"))
		rounds()
		for what, want := range map[string]int{"read: reset": 1, "this is localhost:1": 2, "does not pass": 3} {
			if n := strings.Count(text.String(), what); n != want {
				t.Errorf("%q stands %d times in the log, want %d:\n%s", what, n, want, text.String())
			}
		}
	})
}

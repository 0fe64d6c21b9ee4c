// Package consultest runs a real Consul agent for a test: one server on the loopback interface, on ports of its own.
package consultest

import (
	"bytes"
	"context"
	"errors"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/hashicorp/consul/api"
)

const (
	startWithin = time.Minute // on a busy machine
	pollEvery   = 20 * time.Millisecond
	tries       = 5 // a port may be taken between choosing and using it
)

// An Agent is a Consul server that lives no longer than its test. It is for one goroutine.
type Agent struct {
	Client *api.Client
	Addr   string // host:port of its HTTP API

	t      testing.TB
	dir    string // where it keeps what it knows; empty for memory
	binary string
	args   []string
	cmd    *exec.Cmd     // nil while it is stopped
	exited chan struct{} // closed when cmd is over
	log    *buffer
}

// Start runs a Consul that keeps its state in memory, and waits for it. The program is the one that RINGKV_CONSUL names,
// else consul from PATH, else bin/consul at the top of the module; the test is skipped where there is none, but fails
// where RINGKV_CONSUL names what isn't there and CI is true.
func Start(t testing.TB) *Agent {
	t.Helper()
	return start(t, "", "", "-dev")
}

// StartACL is Start with ACLs, which deny whatever isn't allowed. Client has the token that may do everything.
func StartACL(t testing.TB) *Agent {
	t.Helper()
	const root = "c7c2f2a4-5d0e-4a53-9a86-0f6a3a3f9d11"
	return start(t, "", root, "-dev", `-hcl=acl { enabled = true, default_policy = "deny", tokens { initial_management = "`+root+`" } }`)
}

// StartDurable is Start with a data directory, so that what is registered survives Kill and Restart.
func StartDurable(t testing.TB) *Agent {
	t.Helper()
	dir := filepath.Join(t.TempDir(), "consul")
	return start(t, dir, "", "-server", "-bootstrap-expect=1", "-data-dir="+dir, "-bind=127.0.0.1",
		"-hcl=performance { raft_multiplier = 1 }")
}

func start(t testing.TB, dir, token string, mode ...string) *Agent {
	t.Helper()
	a := &Agent{t: t, dir: dir, binary: find(t), log: &buffer{}}
	t.Cleanup(a.Kill)
	for range tries {
		port := FreePorts(t, 4)
		a.Addr = net.JoinHostPort("127.0.0.1", port[0])
		a.args = append([]string{"agent", "-client=127.0.0.1", "-node=consultest", "-log-level=warn",
			"-http-port=" + port[0], "-server-port=" + port[1], "-serf-lan-port=" + port[2], "-serf-wan-port=" + port[3],
			"-dns-port=-1", "-grpc-port=-1", "-grpc-tls-port=-1", "-hcl=disable_update_check = true"}, mode...)
		a.Client = a.NewClient(token)
		if a.launch() {
			return a
		}
	}
	t.Fatalf("Consul ended %d times while it started; it said:\n%s", tries, a.log)
	return nil
}

// NewClient returns a client with a token of its own, which may be empty.
func (a *Agent) NewClient(token string) *api.Client {
	a.t.Helper()
	config := api.DefaultConfig()
	config.Address, config.Token = a.Addr, token
	client, err := api.NewClient(config)
	if err != nil {
		a.t.Fatalf("make a Consul client: %v", err)
	}
	a.t.Cleanup(config.Transport.CloseIdleConnections)
	return client
}

// Kill ends Consul at once, without a chance to say goodbye. Killing a dead one does nothing.
func (a *Agent) Kill() {
	a.t.Helper()
	if a.cmd == nil {
		return
	}
	if err := a.cmd.Process.Kill(); err != nil && !errors.Is(err, os.ErrProcessDone) {
		a.t.Errorf("kill Consul: %v", err)
	}
	<-a.exited
	a.cmd = nil
}

// Pause freezes Consul: its connections stay open, and nothing answers.
func (a *Agent) Pause() { a.t.Helper(); a.signal(syscall.SIGSTOP) }

// Resume ends Pause.
func (a *Agent) Resume() { a.t.Helper(); a.signal(syscall.SIGCONT) }

func (a *Agent) signal(s syscall.Signal) {
	a.t.Helper()
	if err := a.cmd.Process.Signal(s); err != nil {
		a.t.Errorf("send %v to Consul: %v", s, err)
	}
}

// Empty kills Consul and starts one that knows nothing in its place.
func (a *Agent) Empty() {
	a.t.Helper()
	a.Kill()
	if a.dir != "" {
		if err := os.RemoveAll(a.dir); err != nil {
			a.t.Fatalf("throw away what Consul knew: %v", err)
		}
	}
	a.Restart()
}

// Restart starts a killed Consul on the same ports and waits until it has a leader.
func (a *Agent) Restart() {
	a.t.Helper()
	for range tries {
		if a.launch() {
			return
		}
	}
	a.t.Fatalf("Consul ended %d times while it started again; it said:\n%s", tries, a.log)
}

// launch starts Consul and waits until it has a leader. It reports false if Consul ended by itself.
func (a *Agent) launch() bool {
	a.t.Helper()
	cmd := exec.Command(a.binary, a.args...)
	cmd.Stdout, cmd.Stderr = a.log, a.log
	if err := cmd.Start(); err != nil {
		a.t.Fatalf("start %s: %v", a.binary, err)
	}
	exited := make(chan struct{})
	go func() {
		defer close(exited)
		_ = cmd.Wait() // how it ended is in its log
	}()
	a.cmd, a.exited = cmd, exited
	ctx, cancel := context.WithTimeout(context.Background(), startWithin)
	defer cancel()
	for !a.ready(ctx) {
		select {
		case <-exited:
			a.cmd = nil
			return false
		case <-ctx.Done():
			a.t.Fatalf("Consul has no leader after %v; it said:\n%s", startWithin, a.log)
		case <-time.After(pollEvery):
		}
	}
	return true
}

// ready reports whether the server leads and knows its own node, without which nothing can be registered.
func (a *Agent) ready(ctx context.Context) bool {
	nodes, _, err := a.Client.Catalog().Nodes((&api.QueryOptions{RequireConsistent: true}).WithContext(ctx))
	return err == nil && len(nodes) > 0
}

// A buffer keeps what Consul said, for a failed start.
type buffer struct {
	mu   sync.Mutex // guards text
	text bytes.Buffer
}

func (b *buffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.text.Write(p)
}

func (b *buffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	const most = 4 << 10
	text := b.text.String()
	return text[max(0, len(text)-most):]
}

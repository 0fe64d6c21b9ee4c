// Package consultest runs a real Consul agent for a test: one server on the loopback interface, on ports of its own.
package consultest

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"sync"
	"testing"
	"time"

	"github.com/hashicorp/consul/api"
)

const (
	startWithin = 30 * time.Second
	pollEvery   = 20 * time.Millisecond
)

// An Agent is a Consul server that lives no longer than its test.
type Agent struct {
	Client *api.Client
	Addr   string // host:port of its HTTP API

	t      testing.TB
	binary string
	args   []string
	cmd    *exec.Cmd // nil while it is stopped
	log    *buffer
}

// Start runs a Consul that keeps its state in memory, and waits for it. The program is the one that RINGKV_CONSUL names,
// else consul from PATH, else bin/consul at the top of the module; the test is skipped where there is none, but fails
// where RINGKV_CONSUL names what isn't there and CI is true.
func Start(t testing.TB) *Agent { return start(t, "-dev") }

// StartDurable is Start with a data directory, so that what is registered survives Kill and Restart.
func StartDurable(t testing.TB) *Agent {
	return start(t, "-server", "-bootstrap-expect=1", "-data-dir="+t.TempDir(), "-bind=127.0.0.1",
		"-hcl=performance { raft_multiplier = 1 }")
}

func start(t testing.TB, mode ...string) *Agent {
	t.Helper()
	a := &Agent{t: t, binary: find(t), log: &buffer{}}
	ports := freePorts(t, 4)
	a.Addr = net.JoinHostPort("127.0.0.1", ports[0])
	a.args = append([]string{"agent", "-client=127.0.0.1", "-node=consultest", "-log-level=warn",
		"-http-port=" + ports[0], "-server-port=" + ports[1], "-serf-lan-port=" + ports[2], "-serf-wan-port=" + ports[3],
		"-dns-port=-1", "-grpc-port=-1", "-grpc-tls-port=-1", "-hcl=disable_update_check = true"}, mode...)
	config := api.DefaultConfig()
	config.Address = a.Addr
	client, err := api.NewClient(config)
	if err != nil {
		t.Fatalf("make a Consul client: %v", err)
	}
	a.Client = client
	t.Cleanup(func() {
		a.Kill()
		config.Transport.CloseIdleConnections()
	})
	a.Restart()
	return a
}

// Kill ends Consul at once, without a chance to say goodbye. Killing a dead one does nothing.
func (a *Agent) Kill() {
	a.t.Helper()
	if a.cmd == nil {
		return
	}
	if err := a.cmd.Process.Kill(); err != nil {
		a.t.Errorf("kill Consul: %v", err)
	}
	var killed *exec.ExitError
	if err := a.cmd.Wait(); err != nil && !errors.As(err, &killed) {
		a.t.Errorf("wait for Consul: %v", err)
	}
	a.cmd = nil
}

// Restart starts a killed Consul on the same ports and waits until it has a leader.
func (a *Agent) Restart() {
	a.t.Helper()
	a.cmd = exec.Command(a.binary, a.args...)
	a.cmd.Stdout, a.cmd.Stderr = a.log, a.log
	if err := a.cmd.Start(); err != nil {
		a.cmd = nil
		a.t.Fatalf("start %s: %v", a.binary, err)
	}
	ctx, cancel := context.WithTimeout(context.Background(), startWithin)
	defer cancel()
	for !a.ready(ctx) {
		select {
		case <-ctx.Done():
			a.t.Fatalf("Consul has no leader after %v; it said:\n%s", startWithin, a.log)
		case <-time.After(pollEvery):
		}
	}
}

// ready reports whether the server leads and knows its own node, without which nothing can be registered.
func (a *Agent) ready(ctx context.Context) bool {
	nodes, _, err := a.Client.Catalog().Nodes((&api.QueryOptions{RequireConsistent: true}).WithContext(ctx))
	return err == nil && len(nodes) > 0
}

func find(t testing.TB) string {
	t.Helper()
	if path := os.Getenv("RINGKV_CONSUL"); path != "" {
		if _, err := os.Stat(path); err != nil {
			if os.Getenv("CI") == "true" {
				t.Fatalf("RINGKV_CONSUL names no Consul: %v", err)
			}
			t.Skipf("RINGKV_CONSUL names no Consul: %v", err)
		}
		return path
	}
	if path, err := exec.LookPath("consul"); err == nil {
		return path
	}
	path, err := inModule("bin", "consul")
	if err != nil {
		t.Skipf("no Consul to test against: %v; put consul on PATH or name it in RINGKV_CONSUL", err)
	}
	return path
}

// inModule returns the path of a file below the directory that has go.mod.
func inModule(parts ...string) (string, error) {
	dir, err := os.Getwd()
	if err != nil {
		return "", err
	}
	for {
		if _, err := os.Stat(filepath.Join(dir, "go.mod")); err == nil {
			path := filepath.Join(append([]string{dir}, parts...)...)
			_, err := os.Stat(path)
			return path, err
		}
		parent := filepath.Dir(dir)
		if parent == dir {
			return "", errors.New("there is no go.mod above the working directory")
		}
		dir = parent
	}
}

// freePorts returns ports that were free a moment ago, all at once so that they differ.
func freePorts(t testing.TB, n int) []string {
	t.Helper()
	var ports []string
	for range n {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatalf("find a free port: %v", err)
		}
		defer func() {
			if err := l.Close(); err != nil {
				t.Errorf("free a port: %v", err)
			}
		}()
		ports = append(ports, strconv.Itoa(l.Addr().(*net.TCPAddr).Port))
	}
	return ports
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
	return fmt.Sprint(text[max(0, len(text)-most):])
}

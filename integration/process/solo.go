//go:build integration && linux

package process

import (
	"fmt"
	"path/filepath"
	"syscall"
	"testing"

	"ringkv/hashring/membership/consultest"
	"ringkv/integration/load"
)

// A Solo is one node that holds the only copy of each key, without Consul and without a gateway: what its disk loses comes back from nowhere.
type Solo struct {
	*process
	client *load.Client
	data   string
}

// NewSolo returns a node that isn't started yet. Its segments are so small that some are full, and compacted, within a second.
func NewSolo(t testing.TB, data string) *Solo {
	t.Helper()
	addr := "127.0.0.1:" + consultest.FreePorts(t, 1)[0]
	s := &Solo{client: load.NewClient(t), data: data, process: &process{
		name: "n1", addr: addr, path: program("kvnode-faults"), log: filepath.Join(t.TempDir(), "n1.log"),
		args: []string{"-addr", addr, "-nodes", addr, "-replicas", "1", "-data", data},
		env:  []string{"RINGKV_FAULT_SEGMENT_BYTES=65536"},
	}}
	t.Cleanup(func() { s.discard(t) })
	return s
}

// killAt is the environment of a node that dies when its store comes to a point for the n-th time.
func killAt(point string, n int) string { return fmt.Sprintf("RINGKV_FAULT_KILL=%s:%d", point, n) }

// Start starts the node.
func (s *Solo) Start(t testing.TB, env ...string) {
	t.Helper()
	if err := s.start(env...); err != nil {
		t.Fatal(err)
	}
}

// WaitServing waits until the node takes requests for keys.
func (s *Solo) WaitServing(t testing.TB) {
	t.Helper()
	load.Eventually(t, patience, "the node serves", func() error {
		if r := s.client.Get(t.Context(), s.addr, "nobody/wrote/this"); r.Status != 404 {
			return fmt.Errorf("GET of an absent key: %v", r)
		}
		return nil
	})
}

// Kill is SIGKILL.
func (s *Solo) Kill(t testing.TB) {
	t.Helper()
	if err := s.end(syscall.SIGKILL); err != nil {
		t.Fatal(err)
	}
}

// WaitKilled waits until the node has killed itself.
func (s *Solo) WaitKilled(t testing.TB) {
	t.Helper()
	if err := s.awaitExit(); err != nil {
		t.Fatal(err)
	}
	if how := s.ended().Sys().(syscall.WaitStatus); !how.Signaled() || how.Signal() != syscall.SIGKILL {
		t.Fatalf("the node ended with %v, want SIGKILL; it said:\n%s", s.ended(), s.tail(2<<10))
	}
}

// StartLoad puts a load on it.
func (s *Solo) StartLoad(t testing.TB, work load.Workload) *load.Load {
	t.Helper()
	return load.Start(t, s, work, s.name)
}

// Address implements load.Target.
func (s *Solo) Address(testing.TB, string) string { return s.addr }

// Gateways implements load.Target: each node answers for all keys.
func (s *Solo) Gateways() []string { return []string{s.name} }

// Nodes implements load.Target.
func (s *Solo) Nodes() []string { return []string{s.name} }

// Replicas implements load.Target.
func (s *Solo) Replicas() int { return 1 }

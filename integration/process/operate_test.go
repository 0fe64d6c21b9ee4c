//go:build integration && linux

package process

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"ringkv/integration/load"
)

// What an operator does on a working day, and what goes wrong then.
func TestOperations(t *testing.T) {
	rng := newRandom(t)
	c := NewCluster(t, Options{Gateways: 2})
	t.Run("nodes and gateways restarted one after the other", func(t *testing.T) {
		l := c.StartLoad(t, load.Steady)
		for _, id := range c.Nodes() {
			l.Fault("restart %s", id)
			c.StopNode(t, id)
			c.StartNode(t, id)
			c.WaitWhole(t)
			l.Continue(t, load.Rate/2)
		}
		judge(t, l, oneInTrouble, "each node restarted")
	})
	t.Run("a gateway killed in the middle of requests", func(t *testing.T) {
		l := c.StartLoad(t, load.Steady)
		for range *rounds {
			l.Fault("kill g1")
			c.KillGateway(t, "g1")
			l.Continue(t, 1+rng.IntN(load.Rate))
			c.StartGateway(t, "g1")
			c.WaitRing(t, c.Nodes()...)
			l.Continue(t, load.Rate/2)
		}
		judge(t, l, whateverFails, fmt.Sprintf("%d kills of a gateway", *rounds))
	})
	t.Run("all gateways killed", func(t *testing.T) {
		l := c.StartLoad(t, load.Steady)
		for range *rounds {
			l.Fault("kill all gateways")
			for _, g := range c.Gateways() {
				c.KillGateway(t, g)
				c.StartGateway(t, g)
			}
			c.WaitRing(t, c.Nodes()...)
			l.Continue(t, load.Rate/2)
		}
		judge(t, l, whateverFails, fmt.Sprintf("%d times all gateways killed", *rounds))
	})
	t.Run("Consul emptied", func(t *testing.T) {
		l := c.StartLoad(t, load.Steady)
		for range (*rounds + 2) / 3 {
			l.Fault("restart Consul empty")
			c.Consul.Empty()
			l.Continue(t, load.Rate)
			c.WaitWhole(t)
		}
		judge(t, l, oneInTrouble, "Consul restarted empty")
	})
	t.Run("a second process of a node", func(t *testing.T) { secondProcess(t, c) })
}

// A copied start script, a copied data directory: the second process refuses, and the ring never knows of it.
func secondProcess(t *testing.T, c *Cluster) {
	l := c.StartLoad(t, load.Steady)
	copied := filepath.Join(t.TempDir(), "copied")
	if err := os.CopyFS(copied, os.DirFS(c.NodeData("n1"))); err != nil {
		t.Fatal(err)
	}
	for _, double := range []struct {
		name string
		args []string
		says string
	}{
		{"n1 with a directory of its own", []string{"-id", "n1", "-data", filepath.Join(t.TempDir(), "new")}, "another process serves as node n1"},
		{"a copied directory", []string{"-data", copied}, "another process serves as node n1"},
		{"the same directory", []string{"-data", c.NodeData("n1")}, "in use by another node"},
		{"the directory of another node", []string{"-id", "n9", "-data", copied}, "belongs to another node"},
	} {
		l.Fault("start %s", double.name)
		p := c.make(t, "double", "kvnode", double.args...)
		if err := p.start(); err != nil {
			t.Fatal(err)
		}
		if err := p.awaitExit(); err != nil {
			t.Fatal(err)
		}
		if said := p.tail(1 << 10); p.ended().ExitCode() != 1 || !strings.Contains(said, double.says) {
			t.Errorf("%s: exit status %d, saying %q, want 1 and %q", double.name, p.ended().ExitCode(), said, double.says)
		}
		if ring, err := c.Ring(t, "g1"); err != nil || len(ring) != 3 {
			t.Errorf("%s: the ring is %v (%v), want the three nodes that were there", double.name, ring, err)
		}
	}
	l.Continue(t, load.Rate/2)
	judge(t, l, oneInTrouble, "second processes refused")
}

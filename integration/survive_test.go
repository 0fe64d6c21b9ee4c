//go:build integration

package integration

import (
	"fmt"
	"net/http"
	"slices"
	"testing"
	"time"
)

// One cluster is asked one question after the other; each leaves it whole.
func TestReadsAndWritesSurvive(t *testing.T) {
	c := NewCluster(t, Options{Gateways: 2})
	for _, q := range []struct {
		name string
		ask  func(t *testing.T, c *Cluster)
	}{
		{"a node killed", nodeKilled},
		{"a node paused", nodePaused},
		{"a node destroyed", nodeDestroyed},
		{"a node restarted", nodeRestarted},
		{"nodes rolled one after the other", nodesRolled},
		{"a node out of the ring by its check", nodeInMaintenance},
		{"Consul stopped", consulStopped},
		{"a gateway started while Consul is down", gatewayStartedBlind},
		{"Consul restarted empty", consulEmptied},
		{"all nodes killed at once", allNodesKilled},
		{"writes with conditions", conditionalWrites},
		{"nodes behind, one of them damaged", nodesBehind},
		{"a node back with an empty disk", nodeWiped},
		{"a node that joins", nodeJoined},
	} {
		c.ask(t, q.name, q.ask)
	}
}

func nodeKilled(t *testing.T, c *Cluster) {
	l := c.StartLoad(t, steady, "g1", "g2")
	l.Fault("kill n1")
	c.KillNode(t, "n1")
	c.WaitRing(t, 2)
	l.Continue(t, loadRate)
	c.StartNode(t, "n1")
	c.WaitRing(t, 3)
	l.Continue(t, loadRate)
	l.Judge(t, Promise{})
}

// A node that hangs takes Consul an interval and a timeout to notice, and the gateways have to do without it from the first moment.
func nodePaused(t *testing.T, c *Cluster) {
	l := c.StartLoad(t, steady, "g1", "g2")
	l.Fault("pause n2")
	c.PauseNode(t, "n2")
	c.awaitGone(t, l, "n2", l.History.Now())
	l.Continue(t, 2*loadRate)
	c.ResumeNode(t, "n2")
	c.WaitRing(t, 3)
	l.Continue(t, loadRate)
	l.Judge(t, Promise{})
}

func nodeDestroyed(t *testing.T, c *Cluster) {
	l := c.StartLoad(t, steady, "g1", "g2")
	asked := l.Fault("destroy n3").At
	ended := c.DestroyNode(t, "n3")
	c.awaitGone(t, l, "n3", max(asked, l.History.Now()-int64(time.Since(ended)))) // not before it was asked, whatever Docker's clock says
	l.Continue(t, loadRate)
	c.StartNode(t, "n3")
	c.WaitRing(t, 3)
	l.Continue(t, loadRate)
	l.Judge(t, Promise{})
}

func nodeRestarted(t *testing.T, c *Cluster) {
	l := c.StartLoad(t, steady, "g1", "g2")
	l.Fault("stop n1 in good order")
	c.StopNode(t, "n1")
	c.WaitRing(t, 2)
	l.Continue(t, loadRate)
	c.StartNode(t, "n1")
	c.WaitRing(t, 3)
	l.Continue(t, loadRate)
	l.Judge(t, Promise{})
}

func nodesRolled(t *testing.T, c *Cluster) {
	l := c.StartLoad(t, steady, "g1", "g2")
	generation := c.Generation(t)
	for _, id := range c.Nodes() {
		l.Fault("restart %s", id)
		c.RestartNode(t, id, 3)
		l.Continue(t, loadRate/2)
	}
	if now := c.Generation(t); now != generation {
		t.Errorf("generation %d became %d by restarts in good order", generation, now)
	}
	// What was written meanwhile is caught up with, and nothing else comes: the processes have counted from their start.
	for id, bytes := range c.Fetched(t) {
		if most := l.Bytes(); bytes > most {
			t.Errorf("%s fetched %d bytes, want no more than the %d that were written meanwhile", id, bytes, most)
		}
	}
	l.Judge(t, Promise{})
}

// An operator takes a node out in Consul, and puts it back.
func nodeInMaintenance(t *testing.T, c *Cluster) {
	l := c.StartLoad(t, steady, "g1", "g2")
	l.Fault("maintenance of n2")
	generation, began := c.Generation(t), l.History.Now()
	c.maintain(t, "n2", true)
	c.awaitGone(t, l, "n2", began)
	l.Continue(t, loadRate)
	if ring, err := c.Ring(t, "g1"); err != nil || len(ring.Away) != 1 || ring.Away[0].ID != "n2" || ring.Generation != generation {
		t.Errorf("/ring = %+v (%v), want n2 away in generation %d", ring, err, generation)
	}
	c.maintain(t, "n2", false)
	c.WaitRing(t, 3)
	l.Continue(t, loadRate)
	l.Judge(t, Promise{})
}

func (c *Cluster) maintain(t *testing.T, id string, on bool) {
	t.Helper()
	path := fmt.Sprintf("/v1/agent/service/maintenance/ringkv-node-%s?enable=%v&reason=tested", id, on)
	if r := c.client.Do(t.Context(), http.MethodPut, c.Address(t, "consul1"), path, nil); r.Status != 200 {
		t.Fatalf("PUT %s = %v, want 200", path, r)
	}
}

// goneWithin is a check's interval and timeout, 100 ms until all know, and half a second for a machine that is busy testing.
const goneWithin = time.Second + 500*time.Millisecond + 100*time.Millisecond + 500*time.Millisecond

// awaitGone checks that a node leaves the ring of every gateway in the time that is promised, which began then by the load's time: when the node
// was paused or had ended, since how long Docker takes for that says nothing of the cluster. Nor does what the machine stood still.
func (c *Cluster) awaitGone(t *testing.T, l *Load, id string, began int64) {
	t.Helper()
	for _, g := range c.Gateways() {
		eventually(t, readyPatience, id+" is gone from the ring of "+g, func() error {
			ring, err := c.Ring(t, g)
			if err == nil && slices.Contains(ring.IDs(), id) {
				err = fmt.Errorf("on the ring: %v", ring.IDs())
			}
			return err
		})
		took := time.Duration(l.History.Now() - began)
		stalled, _ := l.Stalled(began)
		if took > goneWithin+stalled {
			t.Errorf("%s was gone from the ring of %s after %v, want %v at most, and the %v that the machine stood still", id, g, took, goneWithin, stalled)
		} else {
			t.Logf("%s was gone from the ring of %s after %v", id, g, took.Round(time.Millisecond))
		}
	}
}

// No machine is left to answer, and all of it was acknowledged from disk.
func allNodesKilled(t *testing.T, c *Cluster) {
	l := c.StartLoad(t, steady, "g1", "g2")
	l.Fault("kill all nodes")
	for _, id := range c.Nodes() {
		c.KillNode(t, id)
	}
	for _, id := range c.Nodes() {
		c.StartNode(t, id)
	}
	c.WaitRing(t, 3)
	l.Continue(t, loadRate)
	l.Judge(t, whateverFails)
}

// A majority of the copies of each key is on the disks that are left, and the new disk is filled from those.
func nodeWiped(t *testing.T, c *Cluster) {
	l := c.StartLoad(t, steady, "g1", "g2")
	l.Fault("lose n2 and its disk")
	c.RemoveNode(t, "n2")
	c.WaitRing(t, 2)
	c.StartNode(t, "n2")
	c.WaitRing(t, 3)
	c.waitSettled(t)
	l.Continue(t, loadRate)
	l.Judge(t, Promise{})
}

func nodeJoined(t *testing.T, c *Cluster) {
	l := c.StartLoad(t, steady, "g1", "g2")
	l.Fault("n4 joins")
	c.StartNode(t, "n4")
	c.WaitRing(t, 4)
	c.waitSettled(t)
	l.Continue(t, loadRate)
	l.Judge(t, Promise{})
}

// whateverFails is for faults that nobody promises to survive without an error: what counts is that nothing is lost.
var whateverFails = Promise{Errors: 1, Gap: time.Hour}

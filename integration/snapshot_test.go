//go:build integration

package integration

import (
	"encoding/json"
	"errors"
	"fmt"
	"testing"
	"time"

	"ringkv/integration/load"
)

// Consul is restored from a snapshot that was taken before a node joined. It then holds an old placement, and knows nothing of the node.
// What the nodes remember goes before that.
func consulRestored(t *testing.T, c *Cluster) {
	l := c.StartLoad(t, load.Changing, "g1", "g2")
	n := len(c.Nodes())
	old := c.Generation(t)
	snapshot := c.client.Do(t.Context(), "GET", c.Address(t, "consul1"), "/v1/snapshot", nil)
	if snapshot.Status != 200 {
		t.Fatalf("GET /v1/snapshot of Consul = %v, want 200", snapshot)
	}
	l.Fault("n7 joins")
	c.StartNode(t, "n7")
	c.WaitRing(t, n+1)
	c.waitSettled(t)
	joined := c.Generation(t)
	l.Fault("restore Consul as it was before")
	if r := c.client.Do(t.Context(), "PUT", c.Address(t, "consul1"), "/v1/snapshot", &snapshot.Text); r.Status != 200 {
		t.Fatalf("PUT /v1/snapshot of Consul = %v, want 200", r)
	}
	if g, err := c.stored(t); err != nil || g != old {
		t.Logf("Consul holds generation %d (%v) after it was restored with %d", g, err, old)
	}
	c.awaitStored(t, joined)
	c.WaitRing(t, n+1)
	c.waitSettled(t)
	l.Continue(t, loadRate)
	l.Judge(t, movable)
}

// Consul is lost with all that it knew while copies move to a node that has just joined. The move goes on.
func consulEmptiedInAMove(t *testing.T, c *Cluster) {
	l := c.StartLoad(t, load.Changing, "g1", "g2")
	n, old := len(c.Nodes()), c.Generation(t)
	l.Fault("n8 joins")
	c.StartNode(t, "n8")
	eventually(t, readyPatience, "the placement has n8", func() error {
		if g := c.Generation(t); g <= old {
			return fmt.Errorf("generation %d", g)
		}
		return nil
	})
	joined := c.Generation(t)
	eventually(t, readyPatience, "all have heard of n8", func() error { return c.allGoBy(t, joined) }) // g1 may be the first
	if ring, err := c.Ring(t, "g1"); err != nil || ring.Move == nil {
		t.Logf("the move was over before Consul was lost (%v)", err)
	}
	l.Fault("restart Consul empty")
	c.EmptyConsul(t)
	c.expectGeneration(t, joined)
	c.WaitRing(t, n+1)
	c.waitSettled(t)
	l.Continue(t, loadRate)
	l.Judge(t, movable)
}

// stored returns which generation Consul holds.
func (c *Cluster) stored(t *testing.T) (int, error) {
	t.Helper()
	r := c.client.Do(t.Context(), "GET", c.Address(t, "consul1"), "/v1/kv/ringkv/ringkv-node/placement?raw", nil)
	var doc struct{ Generation int }
	if r.Status != 200 {
		return 0, fmt.Errorf("the placement in Consul: %v", r)
	}
	return doc.Generation, json.Unmarshal([]byte(r.Text), &doc)
}

// awaitStored waits until Consul holds a placement as new as generation again, while nobody goes by an older one. It takes a minute
// after Consul was out of reach.
func (c *Cluster) awaitStored(t *testing.T, generation int) {
	t.Helper()
	began := time.Now()
	eventually(t, time.Minute+readyPatience, fmt.Sprintf("Consul holds generation %d or a later one", generation), func() error {
		c.expectGeneration(t, generation)
		g, err := c.stored(t)
		if err == nil && g < generation {
			err = fmt.Errorf("it holds %d", g)
		}
		return err
	})
	t.Logf("Consul held generation %d again after %v", generation, time.Since(began).Round(time.Millisecond))
}

// expectGeneration fails the test if a gateway or a node goes by a placement older than generation.
func (c *Cluster) expectGeneration(t *testing.T, generation int) {
	t.Helper()
	if err := c.allGoBy(t, generation); err != nil {
		t.Error(err)
	}
}

// allGoBy says which gateways and nodes still go by a placement older than generation.
func (c *Cluster) allGoBy(t *testing.T, generation int) error {
	t.Helper()
	var behind []error
	for _, g := range c.Gateways() {
		if ring, err := c.Ring(t, g); err != nil || ring.Generation < generation {
			behind = append(behind, fmt.Errorf("%s goes by generation %d (%v) after %d", g, ring.Generation, err, generation))
		}
	}
	for _, id := range c.Nodes() {
		if s, err := c.Status(t, id); err != nil || s.Ring.Generation < generation {
			behind = append(behind, fmt.Errorf("%s goes by a generation before %d: %+v (%v)", id, generation, s.Ring, err))
		}
	}
	return errors.Join(behind...)
}

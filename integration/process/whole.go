//go:build integration && linux

package process

import (
	"encoding/json"
	"fmt"
	"slices"
	"testing"
	"time"

	"ringkv/integration/load"
	"ringkv/integration/oracle"
)

// Promises by how much of the cluster a fault takes. The bounds of time are for a machine that is busy testing.
var (
	// oneInTrouble is what holds while one node of three is.
	oneInTrouble = load.Promise{Errors: 0.01, Gap: 15 * time.Second}
	// whateverFails is for faults that nobody promises to survive without an error: what counts is that nothing is lost.
	whateverFails = load.Promise{Errors: 1, Gap: time.Hour}
)

// StartLoad puts a load on all gateways.
func (c *Cluster) StartLoad(t testing.TB, work load.Workload) *load.Load {
	t.Helper()
	return load.Start(t, c, work, c.Gateways()...)
}

// WaitWhole waits until all nodes are on the ring of each gateway, each gateway is ready, and each node holds all that it should.
func (c *Cluster) WaitWhole(t testing.TB) {
	t.Helper()
	c.WaitRing(t, c.Nodes()...)
	for _, id := range c.Nodes() {
		load.Eventually(t, patience, id+" holds all that it should", func() error { return c.settled(t, id, len(c.Nodes())) })
	}
}

// WaitRing waits until these nodes serve, and the ring of each gateway has them, and no others.
func (c *Cluster) WaitRing(t testing.TB, ids ...string) {
	t.Helper()
	for _, id := range ids {
		load.Eventually(t, patience, id+" serves", func() error { return c.healthy(t, id) })
	}
	for _, g := range c.Gateways() {
		load.Eventually(t, patience, fmt.Sprintf("%v are on the ring of %s", ids, g), func() error {
			ring, err := c.Ring(t, g)
			if err != nil || !slices.Equal(ring, ids) {
				return fmt.Errorf("on the ring: %v (%v)", ring, err)
			}
			if r := c.client.Do(t.Context(), "GET", c.Address(t, g), "/readyz", nil); r.Status != 200 {
				return fmt.Errorf("/readyz: %v", r)
			}
			return nil
		})
	}
}

func (c *Cluster) healthy(t testing.TB, name string) error {
	t.Helper()
	if r := c.client.Do(t.Context(), "GET", c.Address(t, name), "/health-check", nil); r.Status != 200 {
		return fmt.Errorf("/health-check of %s: %v", name, r)
	}
	return nil
}

// Ring returns the ids of the nodes that pass, by one gateway, sorted.
func (c *Cluster) Ring(t testing.TB, gateway string) (ids []string, err error) {
	t.Helper()
	r := c.client.Do(t.Context(), "GET", c.Address(t, gateway), "/ring", nil)
	if r.Status != 200 {
		return nil, fmt.Errorf("/ring of %s: %v", gateway, r)
	}
	var ring struct {
		Nodes []struct {
			ID string `json:"id"`
		} `json:"nodes"`
	}
	err = json.Unmarshal([]byte(r.Text), &ring)
	for _, n := range ring.Nodes {
		ids = append(ids, n.ID)
	}
	slices.Sort(ids)
	return ids, err
}

// Status is what a node says of itself.
type Status struct {
	Damaged        int `json:"damaged"`
	SlotsOwned     int `json:"slots_owned"`
	SlotsUnsettled int `json:"slots_unsettled"`
	Ring           *struct {
		Passing int `json:"passing"`
	} `json:"ring"`
}

// Status asks a node.
func (c *Cluster) Status(t testing.TB, id string) (s Status, err error) {
	t.Helper()
	r := c.client.Do(t.Context(), "GET", c.Address(t, id), "/status", nil)
	if r.Status != 200 {
		return s, fmt.Errorf("/status of %s: %v", id, r)
	}
	return s, json.Unmarshal([]byte(r.Text), &s)
}

func (c *Cluster) settled(t testing.TB, id string, passing int) error {
	s, err := c.Status(t, id)
	if err == nil && (s.Ring == nil || s.Ring.Passing != passing || s.SlotsOwned == 0 || s.SlotsUnsettled > 0) {
		err = fmt.Errorf("/status of %s: %+v", id, s)
	}
	return err
}

// judge ends a load as load.Judge does, and prints what was done in a line.
func judge(t testing.TB, l *load.Load, p load.Promise, what string) {
	t.Helper()
	l.Judge(t, p)
	if t.Failed() {
		return
	}
	w := workOf(l)
	fmt.Printf("%s: %s; %s, lost = 0, violations = 0\n", t.Name(), what, w)
	done.add(w)
}

// Work is what was done to a cluster that was judged and found right.
type Work struct{ faults, writes int }

func workOf(l *load.Load) Work {
	w := Work{faults: len(l.History.Faults())}
	for _, op := range l.History.Ops() {
		if op.Outcome == oracle.OK && op.Kind != oracle.Get {
			w.writes++
		}
	}
	return w
}

func (w *Work) add(more Work) { w.faults, w.writes = w.faults+more.faults, w.writes+more.writes }

func (w Work) String() string {
	return fmt.Sprintf("%d faults, %d acknowledged writes", w.faults, w.writes)
}

// done is the work of all tests, which run one after the other.
var done Work

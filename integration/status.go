//go:build integration

package integration

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"time"
)

// A Status is what /status of a node shows, as far as the tests need it.
type Status struct {
	SlotsOwned     int `json:"slots_owned"`
	SlotsUnsettled int `json:"slots_unsettled"`
	Damaged        int `json:"damaged"`
	Ring           *struct{ Generation int }
	Move           *struct {
		Fetched int64 `json:"bytes_fetched"` // since the process was started
	}
}

// Status asks one node.
func (c *Cluster) Status(t testing.TB, id string) (Status, error) {
	t.Helper()
	var s Status
	r := c.client.Do(t.Context(), "GET", c.Address(t, id), "/status", nil)
	if err := json.Unmarshal([]byte(r.Text), &s); err != nil || r.Status != 200 {
		return s, fmt.Errorf("/status of %s: %v (%v)", id, r, err)
	}
	if s.Ring == nil || s.Move == nil {
		return s, fmt.Errorf("%s knows no placement yet: /status: %v", id, r)
	}
	return s, nil
}

// Fetched returns how many bytes each node has fetched from others since it was started.
func (c *Cluster) Fetched(t testing.TB) map[string]int64 {
	t.Helper()
	fetched := map[string]int64{}
	for _, id := range c.Nodes() {
		s, err := c.Status(t, id)
		if err != nil {
			t.Fatal(err)
		}
		fetched[id] = s.Move.Fetched
	}
	return fetched
}

// Generation returns which placement the gateways go by.
func (c *Cluster) Generation(t testing.TB) int {
	t.Helper()
	ring, err := c.Ring(t, "g1")
	if err != nil {
		t.Fatal(err)
	}
	return ring.Generation
}

// settlePatience is far more than a thousand slots take: who moves them rests three times as long as each step took, so that what else a machine has to do is
// felt four times over.
const settlePatience = 4 * readyPatience

// waitSettled waits until every node holds all that it should.
func (c *Cluster) waitSettled(t testing.TB) {
	t.Helper()
	began := time.Now()
	eventually(t, settlePatience, "all nodes hold what they should", func() error {
		ring, err := c.Ring(t, "g1")
		if err != nil {
			return err
		}
		for _, id := range ring.IDs() {
			s, err := c.Status(t, id)
			if err != nil {
				return err
			}
			if s.Ring.Generation < ring.Generation || s.SlotsOwned == 0 || s.SlotsUnsettled > 0 {
				return fmt.Errorf("%s has %d of %d slots unsettled and goes by generation %d; of generation %d: nodes %v, away %v",
					id, s.SlotsUnsettled, s.SlotsOwned, s.Ring.Generation, ring.Generation, ring.IDs(), ring.Away)
			}
		}
		return nil
	})
	t.Logf("settled %v after the ring was whole", time.Since(began).Round(time.Millisecond))
}

// seen says what the gateways and nodes tell of themselves, for whoever has to find out why a test failed.
func (c *Cluster) seen() string {
	ctx, cancel := context.WithTimeout(context.Background(), verbPatience)
	defer cancel()
	var text strings.Builder
	for path, names := range map[string][]string{"/ring": c.Gateways(), "/status": c.Nodes()} {
		for _, name := range names {
			c.mu.Lock()
			m := c.machines[name]
			c.mu.Unlock()
			if m != nil {
				fmt.Fprintf(&text, "%s%s: %v\n", name, path, c.client.Do(ctx, "GET", m.address(), path, nil))
			}
		}
	}
	return text.String()
}

// ask asks a cluster one question. If it fails, what the machines say then is shown.
func (c *Cluster) ask(t *testing.T, name string, question func(t *testing.T, c *Cluster)) {
	t.Helper()
	t.Run(name, func(t *testing.T) {
		t.Cleanup(func() {
			if t.Failed() {
				t.Logf("as it stood when the question had failed:\n%s", c.seen())
			}
		})
		question(t, c)
	})
}

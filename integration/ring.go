//go:build integration

package integration

import (
	"encoding/json"
	"fmt"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"
)

// A Ring is what /ring shows, as far as the tests need it.
type Ring struct {
	Generation int `json:"generation"`
	Nodes      []struct {
		ID string `json:"id"`
	} `json:"nodes"`
	Away []struct {
		ID string `json:"id"`
	} `json:"away"`
	Move *Move `json:"move"`
}

// A Move is what /ring shows of a change that is under way.
type Move struct {
	To       int      `json:"to"`
	Slots    int      `json:"slots"`
	Settled  int      `json:"settled"`
	Progress float64  `json:"progress"`
	Waiting  []string `json:"waiting"`
}

// IDs returns the nodes on the ring, sorted.
func (r Ring) IDs() []string {
	var ids []string
	for _, n := range r.Nodes {
		ids = append(ids, n.ID)
	}
	slices.Sort(ids)
	return ids
}

// Ring asks one gateway.
func (c *Cluster) Ring(t testing.TB, gateway string) (Ring, error) {
	t.Helper()
	var ring Ring
	r := c.client.Do(t.Context(), "GET", c.Address(t, gateway), "/ring", nil)
	if r.Status != 200 {
		return ring, fmt.Errorf("/ring of %s: %v", gateway, r)
	}
	return ring, json.Unmarshal([]byte(r.Text), &ring)
}

// Gateways returns the names of the gateways, sorted.
func (c *Cluster) Gateways() []string { return c.named("g") }

// Nodes returns the ids of the nodes, sorted.
func (c *Cluster) Nodes() []string { return c.named("n") }

func (c *Cluster) named(prefix string) (names []string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for name := range c.machines {
		if strings.HasPrefix(name, prefix) {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	return names
}

// WaitRing waits until each gateway has exactly n nodes on its ring and is ready. The nodes may know of it a moment later: each watches
// Consul for itself.
func (c *Cluster) WaitRing(t testing.TB, n int) {
	t.Helper()
	for _, g := range c.Gateways() {
		c.awaitRing(t, g, readyPatience, n)
		eventually(t, readyPatience, g+" is ready", func() error {
			if r := c.client.Do(t.Context(), "GET", c.Address(t, g), "/readyz", nil); r.Status != 200 {
				return fmt.Errorf("/readyz: %v", r)
			}
			return nil
		})
	}
}

func (c *Cluster) awaitRing(t testing.TB, gateway string, patience time.Duration, n int) {
	t.Helper()
	eventually(t, patience, fmt.Sprintf("the ring of %s has %d nodes", gateway, n), func() error {
		ring, err := c.Ring(t, gateway)
		if err == nil && len(ring.Nodes) != n {
			err = fmt.Errorf("on the ring: %v, away: %v", ring.IDs(), ring.Away)
		}
		return err
	})
}

// OwnersOf asks a gateway who holds a key: the ids in the order of the ring.
func (c *Cluster) OwnersOf(t testing.TB, gateway, key string) []string {
	t.Helper()
	r := c.client.Do(t.Context(), "GET", c.Address(t, gateway), "/ring/owners?key="+url.QueryEscape(key), nil)
	var answer struct {
		Owners []struct {
			ID string `json:"id"`
		} `json:"owners"`
	}
	if err := json.Unmarshal([]byte(r.Text), &answer); err != nil || r.Status != 200 {
		t.Fatalf("/ring/owners?key=%s of %s = %v (%v), want the owners", key, gateway, r, err)
	}
	var ids []string
	for _, o := range answer.Owners {
		ids = append(ids, o.ID)
	}
	return ids
}

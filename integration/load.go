//go:build integration

package integration

import (
	"math/rand/v2"
	"testing"
	"time"

	"ringkv/integration/load"
)

// What the tests here say often, by a short name.
type (
	Client  = load.Client
	Load    = load.Load
	Promise = load.Promise
	Reply   = load.Reply
)

const loadRate = load.Rate

func steady(client, i int, rng *rand.Rand) load.Step { return load.Steady(client, i, rng) }

func eventually(t testing.TB, patience time.Duration, what string, try func() error) {
	t.Helper()
	load.Eventually(t, patience, what, try)
}

// StartLoad puts a load on the cluster, through these gateways.
func (c *Cluster) StartLoad(t testing.TB, work load.Workload, gateways ...string) *Load {
	t.Helper()
	l := load.Start(t, c, work, gateways...)
	c.mu.Lock()
	defer c.mu.Unlock()
	c.loads = append(c.loads, l)
	return l
}

// Bytes returns how much all loads so far have stored that is still there, about: keys and values of one copy.
func (c *Cluster) Bytes() (n int64) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, l := range c.loads {
		n += l.Bytes()
	}
	return n
}

// Replicas is how many copies of each key there are.
func (c *Cluster) Replicas() int { return c.options.Replicas }

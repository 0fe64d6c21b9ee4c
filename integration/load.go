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

func contended(client, i int, rng *rand.Rand) load.Step { return load.Contended(client, i, rng) }

func eventually(t testing.TB, patience time.Duration, what string, try func() error) {
	t.Helper()
	load.Eventually(t, patience, what, try)
}

// StartLoad puts a load on the cluster, through these gateways.
func (c *Cluster) StartLoad(t testing.TB, work load.Workload, gateways ...string) *Load {
	t.Helper()
	return load.Start(t, c, work, gateways...)
}

// Replicas is how many copies of each key there are.
func (c *Cluster) Replicas() int { return c.options.Replicas }

//go:build integration && linux

package process

import (
	"testing"

	"ringkv/integration/load"
)

// Links that are cut one by one, and one way. Each process still finds somebody who tells it that all is well.
func TestCutLinks(t *testing.T) {
	NeedLinks(t)
	c := NewCluster(t, Options{Gateways: 2, Grouped: true})
	for _, q := range []struct {
		name    string
		cut     func(t *testing.T) []Rule
		promise load.Promise
	}{
		{"a gateway from a node", func(t *testing.T) []Rule { return []Rule{c.Cut(t, "g1", "n2", drop)} }, oneInTrouble},
		{"a gateway from a node, with a refusal", func(t *testing.T) []Rule { return []Rule{c.Cut(t, "g1", "n2", refuse)} }, oneInTrouble},
		{"the answers of a node", func(t *testing.T) []Rule { return []Rule{c.CutAnswers(t, "n2")} }, oneInTrouble},
		{"a node from Consul", func(t *testing.T) []Rule { return []Rule{c.CutConsul(t, "n2")} }, oneInTrouble},
		{"a gateway from Consul", func(t *testing.T) []Rule { return []Rule{c.CutConsul(t, "g1")} }, oneInTrouble},
		{"Consul from a node", func(t *testing.T) []Rule { return []Rule{c.CutChecks(t, "n2")} }, oneInTrouble},
		{"two nodes from each other", func(t *testing.T) []Rule {
			return []Rule{c.Cut(t, "n1", "n2", drop), c.Cut(t, "n2", "n1", drop)}
		}, oneInTrouble},
		{"a node from all, one way", func(t *testing.T) []Rule {
			return []Rule{c.Cut(t, "n2", "n1", drop), c.Cut(t, "n2", "n3", drop), c.CutConsul(t, "n2"), c.CutAnswers(t, "n2")}
		}, oneInTrouble},
		// Each gateway has lost another node: no two see the same.
		{"each gateway from another node", func(t *testing.T) []Rule {
			return []Rule{c.Cut(t, "g1", "n1", drop), c.Cut(t, "g2", "n2", drop)}
		}, oneInTrouble},
		{"a gateway from two nodes", func(t *testing.T) []Rule {
			return []Rule{c.Cut(t, "g1", "n1", drop), c.Cut(t, "g1", "n2", drop)}
		}, whateverFails},
		{"one packet in ten", func(t *testing.T) []Rule { return []Rule{LosePackets(t, 0.1)} }, whateverFails},
	} {
		t.Run(q.name, func(t *testing.T) {
			l := c.StartLoad(t, load.Steady)
			l.Fault("cut %s", q.name)
			rules := q.cut(t)
			l.Continue(t, load.Rate)
			for _, r := range rules {
				r.Heal(t)
			}
			c.WaitWhole(t)
			l.Continue(t, load.Rate/4)
			judge(t, l, q.promise, "cut "+q.name)
		})
	}
}

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
		nodes   []string // that clients use as well: a node that coordinates needs the others, and else may have nothing to say to them
	}{
		{"a gateway from a node", func(t *testing.T) []Rule { return []Rule{c.Cut(t, "g1", "n2", drop)} }, oneInTrouble, nil},
		{"a gateway from a node, with a refusal", func(t *testing.T) []Rule { return []Rule{c.Cut(t, "g1", "n2", refuse)} }, oneInTrouble, nil},
		{"the answers of a node", func(t *testing.T) []Rule { return []Rule{c.CutAnswers(t, "n2")} }, oneInTrouble, nil},
		{"a node from Consul", func(t *testing.T) []Rule { return []Rule{c.CutConsul(t, "n2")} }, oneInTrouble, nil},
		{"a gateway from Consul", func(t *testing.T) []Rule { return []Rule{c.CutConsul(t, "g1")} }, oneInTrouble, nil},
		{"Consul from a node", func(t *testing.T) []Rule { return []Rule{c.CutChecks(t, "n2")} }, oneInTrouble, nil},
		{"two nodes from each other", func(t *testing.T) []Rule {
			return []Rule{c.Cut(t, "n1", "n2", drop), c.Cut(t, "n2", "n1", drop)}
		}, oneInTrouble, []string{"n1", "n2"}},
		// Those who use n2 get no answer.
		{"a node from all, one way", func(t *testing.T) []Rule {
			return []Rule{c.Cut(t, "n2", "n1", drop), c.Cut(t, "n2", "n3", drop), c.CutConsul(t, "n2"), c.CutAnswers(t, "n2")}
		}, whateverFails, []string{"n2"}},
		// Each gateway has lost another node: no two see the same.
		{"each gateway from another node", func(t *testing.T) []Rule {
			return []Rule{c.Cut(t, "g1", "n1", drop), c.Cut(t, "g2", "n2", drop)}
		}, oneInTrouble, nil},
		{"a gateway from two nodes", func(t *testing.T) []Rule {
			return []Rule{c.Cut(t, "g1", "n1", drop), c.Cut(t, "g1", "n2", drop)}
		}, whateverFails, nil},
		{"one packet in ten", func(t *testing.T) []Rule { return []Rule{LosePackets(t, 0.1)} }, whateverFails, nil},
	} {
		t.Run(q.name, func(t *testing.T) {
			l := load.Start(t, c, load.Steady, append(c.Gateways(), q.nodes...)...)
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

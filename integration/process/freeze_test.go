//go:build integration && linux

package process

import (
	"fmt"
	"testing"
	"time"

	"ringkv/integration/load"
)

// Who is frozen keeps its connections, answers nothing, and goes on later as if nothing had been: with requests from before, and
// with a view from before.
func TestFrozenProcesses(t *testing.T) {
	rng := newRandom(t)
	c := NewCluster(t, Options{Gateways: 2})
	t.Run("a node", func(t *testing.T) {
		l := c.StartLoad(t, load.Steady)
		for range *rounds {
			id := pick(rng, c.Nodes())
			l.Fault("freeze %s", id)
			c.Pause(t, id)
			l.Continue(t, 3*load.Rate)
			c.Resume(t, id)
			c.WaitRing(t, c.Nodes()...)
			l.Continue(t, load.Rate/2)
		}
		judge(t, l, oneInTrouble, fmt.Sprintf("%d freezes of a node", *rounds))
	})
	// Half of the clients use the frozen gateway, and have to wait.
	t.Run("a gateway", func(t *testing.T) {
		l := c.StartLoad(t, load.Steady)
		for range *rounds {
			l.Fault("freeze g1")
			c.Pause(t, "g1")
			l.Continue(t, load.Rate)
			c.Resume(t, "g1")
			c.WaitRing(t, c.Nodes()...)
			l.Continue(t, load.Rate/2)
		}
		judge(t, l, whateverFails, fmt.Sprintf("%d freezes of a gateway", *rounds))
	})
	t.Run("Consul", func(t *testing.T) {
		l := c.StartLoad(t, load.Steady)
		for range *rounds {
			l.Fault("freeze Consul")
			c.Consul.Pause()
			l.Continue(t, 3*load.Rate)
			c.Consul.Resume()
			c.WaitRing(t, c.Nodes()...)
			l.Continue(t, load.Rate/2)
		}
		judge(t, l, oneInTrouble, fmt.Sprintf("%d freezes of Consul", *rounds))
	})
	t.Run("all nodes", func(t *testing.T) {
		l := c.StartLoad(t, load.Steady)
		for range *rounds {
			l.Fault("freeze all nodes")
			for _, id := range c.Nodes() {
				c.Pause(t, id)
			}
			time.Sleep(time.Duration(rng.IntN(3000)) * time.Millisecond) // nobody is there to do anything meanwhile
			for _, id := range c.Nodes() {
				c.Resume(t, id)
			}
			c.WaitRing(t, c.Nodes()...)
			l.Continue(t, load.Rate/2)
		}
		judge(t, l, whateverFails, fmt.Sprintf("%d freezes of all nodes", *rounds))
	})
}

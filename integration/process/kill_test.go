//go:build integration && linux

package process

import (
	"fmt"
	"testing"

	"ringkv/integration/load"
)

func TestANodeKilledLosesNothing(t *testing.T) {
	rng := newRandom(t)
	c := NewCluster(t, Options{})
	l := c.StartLoad(t, load.Steady)
	for range *kills {
		id := pick(rng, c.Nodes())
		l.Fault("kill %s", id)
		c.KillNode(t, id)
		l.Continue(t, rng.IntN(2*load.Rate)) // half of them for longer than the ring takes to notice
		c.StartNode(t, id)
		c.WaitRing(t, c.Nodes()...)
		l.Continue(t, rng.IntN(load.Rate/2))
	}
	judge(t, l, oneInTrouble, fmt.Sprintf("%d kills", *kills))
}

// No process is left to answer, and all of it was acknowledged from disk.
func TestAllNodesKilledAtOnceLoseNothing(t *testing.T) {
	rng := newRandom(t)
	c := NewCluster(t, Options{})
	l := c.StartLoad(t, load.Steady)
	for range *allKills {
		l.Fault("kill all nodes")
		c.KillAllNodes(t)
		for _, id := range c.Nodes() {
			c.StartNode(t, id)
		}
		c.WaitRing(t, c.Nodes()...)
		l.Continue(t, 1+rng.IntN(load.Rate))
	}
	judge(t, l, whateverFails, fmt.Sprintf("%d times all nodes killed", *allKills))
}

// While a node is filled again after it has lost its disk, it's killed at any write of what it pulls, promises and settles.
func TestANodeKilledWhileItIsFilledLosesNothing(t *testing.T) {
	rng := newRandom(t)
	c := NewCluster(t, Options{NodeProgram: "kvnode-faults"})
	l := c.StartLoad(t, load.Steady)
	fills := (*rounds + 2) / 3
	for range fills {
		id := pick(rng, c.Nodes())
		l.Fault("lose %s and its disk", id)
		c.KillNode(t, id)
		c.WipeNode(t, id)
		for range 3 {
			point := pick(rng, []string{"append", "written", "synced", "seen"})
			c.StartNode(t, id, killAt(point, 1+rng.IntN(12)))
			if err := c.process(t, id).awaitExit(); err != nil {
				t.Fatal(err)
			}
		}
		c.StartNode(t, id)
		c.WaitWhole(t)
		l.Continue(t, load.Rate/2)
	}
	judge(t, l, oneInTrouble, fmt.Sprintf("%d kills while a disk is filled", 3*fills))
}

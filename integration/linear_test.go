//go:build integration

package integration

import (
	"testing"

	"ringkv/integration/load"
)

// Few keys at a time, all clients at each, deletes and compare-and-set too, and a search through every order that could explain the
// answers. The ring stays as it is: nothing but the failures of nodes is in play.
func TestEachKeyIsLinearizable(t *testing.T) {
	t.Parallel()
	c := NewCluster(t, Options{Gateways: 2})
	l := c.StartLoad(t, load.Changing, "g1", "g2")
	l.Fault("kill n1")
	c.KillNode(t, "n1")
	l.Continue(t, 2*loadRate)
	c.StartNode(t, "n1")
	c.WaitRing(t, 3)
	l.Fault("pause n2")
	c.PauseNode(t, "n2")
	l.Continue(t, 2*loadRate)
	c.ResumeNode(t, "n2")
	c.WaitRing(t, 3)
	l.Fault("kill n3, pause n1 and let it go on")
	c.KillNode(t, "n3")
	c.PauseNode(t, "n1")
	c.ResumeNode(t, "n1")
	c.StartNode(t, "n3")
	c.WaitRing(t, 3)
	l.Fault("cut n2 off the network")
	c.CutOffNode(t, "n2")
	l.Continue(t, 2*loadRate)
	c.RejoinNode(t, "n2")
	c.WaitRing(t, 3)
	l.Continue(t, loadRate)
	linear := whateverFails
	linear.Linear = true
	l.Judge(t, linear)
}

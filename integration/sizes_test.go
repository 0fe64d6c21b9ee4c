//go:build integration

package integration

import (
	"fmt"
	"testing"

	"ringkv/integration/oracle"
)

// With one or two copies there is nothing to fall back on: while a node is away its keys fail, honestly. Nothing that was acknowledged
// may be lost by its death, and all is as before when it's back.
func TestSmallClustersLoseNothing(t *testing.T) {
	t.Parallel()
	for n := 1; n <= 2; n++ {
		t.Run(fmt.Sprintf("%d of %d copies", n, n), func(t *testing.T) {
			c := NewCluster(t, Options{Nodes: n, Replicas: n})
			l := c.StartLoad(t, steady, "g1")
			fault := l.Fault("kill n1")
			c.KillNode(t, "n1")
			eventually(t, readyPatience, "some operation fails", func() error { return somethingFailed(l, fault) })
			c.StartNode(t, "n1")
			c.WaitRing(t, n)
			l.Continue(t, loadRate)
			l.Judge(t, Promise{Errors: 1, Gap: readyPatience, Copies: n})
		})
	}
}

func somethingFailed(l *Load, after oracle.Fault) error {
	for _, op := range l.History.Ops() {
		if op.Call > after.At && op.Return != oracle.Never && op.Outcome != oracle.OK {
			return nil
		}
	}
	return fmt.Errorf("every operation is acknowledged, and an owner of every key is dead")
}

//go:build integration

package integration

import (
	"fmt"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"ringkv/integration/load"
)

// rebalanceAfter is how long a node of this test may be away: long enough to be started again on a busy machine.
const rebalanceAfter = 12 * time.Second

// The ring changes, on one cluster, while clients read, write, delete and compare and set. Each key of each question is searched for an
// order that explains what was answered.
func TestReadsAndWritesSurviveWhileTheRingChanges(t *testing.T) {
	t.Parallel()
	c := NewCluster(t, Options{Gateways: 2, NodeFlags: []string{"-rebalance-after", rebalanceAfter.String()}})
	c.ask(t, "two nodes join at once", nodesJoined)
	c.ask(t, "a node leaves", nodeLeft("n5", 5))
	c.ask(t, "another node leaves", nodeLeft("n4", 4))
	c.ask(t, "no node leaves when three are left", leaveRefused)
	c.ask(t, "a node replaced, and back", nodeReplaced)
	c.ask(t, "Consul restored from before a join", consulRestored)
	c.ask(t, "two nodes die at once", twoNodesDie)
	c.ask(t, "Consul lost in a move", consulEmptiedInAMove)
	c.ask(t, "two nodes lost for good", twoNodesLost)
}

// movable is the promise while the ring changes. Of many who compare and set one key at once, one wins, and the others are told so, or
// now and then that their outcome is unknown.
var movable = Promise{Linear: true, Errors: 0.01}

func nodesJoined(t *testing.T, c *Cluster) {
	l := c.StartLoad(t, load.Changing, "g1", "g2")
	l.Continue(t, 2*loadRate) // for there to be something to move
	before, fetched := c.slotOwners(t), c.Fetched(t)
	watched := c.watchMove(t)
	l.Fault("n4 and n5 join")
	c.launch(t, c.nodeSpec("n4"), c.nodeSpec("n5"))
	c.WaitRing(t, 5)
	c.waitSettled(t)
	c.endMove(t, watched)
	c.expectMoved(t, before, fetched, 2.0/5*float64(sum(owned(before))))
	l.Continue(t, loadRate)
	l.Judge(t, movable)
}

// nodeLeft asks a node of n to leave.
func nodeLeft(id string, n int) func(t *testing.T, c *Cluster) {
	return func(t *testing.T, c *Cluster) {
		l := c.StartLoad(t, load.Changing, "g1", "g2")
		l.Continue(t, loadRate)
		before, generation := c.slotOwners(t), c.Generation(t)
		fetched := c.Fetched(t)
		watched := c.watchMove(t)
		l.Fault("%s leaves", id)
		if status := c.LeaveNode(t, id); status != 0 {
			t.Errorf("%s ended with status %d after it had left, want 0", id, status)
		}
		c.do(t, id, (*machine).begin)
		if status := c.ExitStatus(t, id); status == 0 {
			t.Errorf("%s ended with status 0 when it was started again after it had left, want it to say that it has left", id)
		}
		c.Forget(id)
		c.WaitRing(t, n-1)
		c.waitSettled(t)
		c.endMove(t, watched)
		if now := c.Generation(t); now != generation+1 {
			t.Errorf("generation %d became %d, want one change", generation, now)
		}
		delete(fetched, id)
		c.expectMoved(t, before, fetched, float64(copiesOf(before, id)))
		l.Continue(t, loadRate)
		l.Judge(t, movable)
	}
}

func leaveRefused(t *testing.T, c *Cluster) {
	const want = "start another node first"
	r := c.client.Do(t.Context(), http.MethodPost, c.Address(t, "n3"), "/leave", nil)
	if r.Status != 409 || !strings.Contains(r.Text, want) {
		t.Errorf("POST /leave with three nodes left = %v, want 409 and %q", r, want)
	}
	c.WaitRing(t, 3)
}

// A node dies for good, another one takes its place, and then the first comes back with all that it knew, of which much was deleted
// and written over meanwhile.
func nodeReplaced(t *testing.T, c *Cluster) {
	l := c.StartLoad(t, load.Changing, "g1", "g2")
	l.Continue(t, loadRate)
	l.Fault("kill n3, for good")
	c.KillNode(t, "n3")
	c.StartNode(t, "n6")
	eventually(t, rebalanceAfter+readyPatience, "the placement has n6, and has n3 no more", func() error {
		ring, err := c.Ring(t, "g1")
		if err == nil && (!slices.Contains(ring.IDs(), "n6") || len(ring.Away) > 0) {
			err = fmt.Errorf("on the ring: %v, away: %v", ring.IDs(), ring.Away)
		}
		return err
	})
	c.WaitRing(t, 3)
	c.waitSettled(t)
	l.Continue(t, 2*loadRate)
	l.Fault("n3 is back")
	c.StartNode(t, "n3")
	c.WaitRing(t, 4)
	c.waitSettled(t)
	l.Continue(t, loadRate)
	c.awaitCopies(t, c.loads...)
	whole := movable
	whole.Copies = 3
	l.Judge(t, whole)
}

// owned counts the slots of each node.
func owned(owners map[int][]string) map[string]int { return gained(nil, owners) }

// expectMoved checks that a change of the ring moved no more than it has to: copies of slots, of all that there are, and bytes,
// of all that was written so far, came to other nodes only once. 0.3 is for the ring, which is not perfectly even.
func (c *Cluster) expectMoved(t *testing.T, before map[int][]string, fetched map[string]int64, ideal float64) {
	t.Helper()
	now := c.slotOwners(t)
	moved, all := gained(before, now), sum(owned(before))
	if got := float64(sum(moved)); got > 1.3*ideal {
		t.Errorf("%.0f copies of slots came to other nodes: %v, want 1.3 times %.0f at most, of %d", got, moved, ideal, all)
	}
	var bytes int64
	since := c.Fetched(t)
	for id, n := range since {
		bytes += n - fetched[id]
	}
	data := float64(c.Bytes()) * float64(c.options.Replicas)
	most := 1.3 * ideal / float64(all) * data
	t.Logf("moved %v copies of slots of %d, %d bytes; of %.0f in all copies, %.0f would be 1.3 times the ideal", moved, all, bytes, data, most)
	if float64(bytes) > most {
		t.Errorf("%d bytes were fetched (by node: %v, before: %v), want %.0f at most", bytes, since, fetched, most)
	}
}

// A moveWatch looks at what /ring shows of moves, all the time.
type moveWatch struct {
	cancel  func()
	running sync.WaitGroup
	moves   []Move
	err     error
}

// watchMove begins to watch /ring of g1.
func (c *Cluster) watchMove(t *testing.T) *moveWatch {
	t.Helper()
	w := &moveWatch{}
	stop := make(chan struct{})
	w.cancel = sync.OnceFunc(func() { close(stop) })
	t.Cleanup(func() { w.cancel(); w.running.Wait() })
	w.running.Go(func() {
		again := time.NewTicker(50 * time.Millisecond)
		defer again.Stop()
		for {
			ring, err := c.Ring(t, "g1")
			if w.err = err; err == nil && ring.Move != nil {
				w.moves = append(w.moves, *ring.Move)
			}
			select {
			case <-again.C:
			case <-stop:
				return
			}
		}
	})
	return w
}

// endMove checks that a move was shown, with its progress between 0 and 1, and that none is shown once all nodes have settled.
func (c *Cluster) endMove(t *testing.T, w *moveWatch) {
	t.Helper()
	eventually(t, readyPatience, "/ring shows no move any more", func() error {
		ring, err := c.Ring(t, "g1")
		if err == nil && ring.Move != nil {
			err = fmt.Errorf("move: %+v", *ring.Move)
		}
		return err
	})
	w.cancel()
	w.running.Wait()
	if len(w.moves) == 0 {
		t.Errorf("/ring showed no move while the ring changed (%v)", w.err)
	}
	for _, m := range w.moves {
		if m.Progress < 0 || m.Progress > 1 || m.Settled > m.Slots || m.Slots == 0 || len(m.Waiting) == 0 {
			t.Errorf("/ring showed the move %+v, want settled copies of those that move, and who is waited for", m)
		}
	}
	t.Logf("/ring showed a move %d times, the last %+v", len(w.moves), w.moves[max(0, len(w.moves)-1):])
}

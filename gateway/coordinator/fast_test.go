package coordinator_test

import (
	"fmt"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"ringkv/gateway/coordinator"
	"ringkv/node/record"
	"ringkv/node/wire"
)

// wantAsked checks how often each node was asked to write, and all together to read, since the counts were last cleared. It clears them.
func (c *cluster) wantAsked(writes, reads int) {
	c.t.Helper()
	c.messages.Wait()
	sum := 0
	for _, id := range c.ids {
		c.set(id, func(n *testNode) {
			if got := n.got[wire.OpWrite]; got != writes {
				c.t.Errorf("%s was asked to write %d times, want %d", id, got, writes)
			}
			sum += n.got[wire.OpRead]
			clear(n.got)
		})
	}
	if sum != reads {
		c.t.Errorf("nodes were asked to read %d times, want %d", sum, reads)
	}
}

func TestPutTakesOneRoundTrip(t *testing.T) {
	inCluster(t, func(t *testing.T, c *cluster) {
		co := c.coordinator(1, 0, coordinator.Options{})
		for i := range 5 {
			mustPut(t, co, "k", fmt.Sprint(i))
			c.wantAsked(1, 0)
		}
		wantValue(t, co, "k", "4")
	})
}

// What refuses a write has told what it must be above. That is so however far behind the gateway's clock is, and whether the owners
// remember what they held or not.
func TestPutThatComesTooLateTakesOneMore(t *testing.T) {
	inCluster(t, func(t *testing.T, c *cluster) {
		co := c.coordinator(1, 0, coordinator.Options{})
		mustPut(t, co, "k", "first")
		c.messages.Wait()
		for i := range 4 {
			if i == 2 {
				for _, id := range c.ids {
					c.kill(id)
					c.start(id)
				}
			}
			c.wantAskedSince(func() {
				mustPut(t, c.coordinator(uint64(10+i), -time.Minute, coordinator.Options{}), "k", fmt.Sprint(i))
			}, 2, 0)
		}
		wantValue(t, co, "k", "3")
	})
}

func (c *cluster) wantAskedSince(do func(), writes, reads int) {
	c.t.Helper()
	for _, id := range c.ids {
		c.set(id, func(n *testNode) { clear(n.got) })
	}
	do()
	c.wantAsked(writes, reads)
}

// While an owner says nothing, the answers of all that are left may not tell what became of a write that met another. So it asks first.
func TestPutAsksFirstWhileAnOwnerIsAway(t *testing.T) {
	inCluster(t, func(t *testing.T, c *cluster) {
		co := c.coordinator(1, 0, coordinator.Options{})
		c.set("b", func(n *testNode) { n.silent = true })
		c.wantAskedSince(func() { mustPut(t, co, "k", "v1") }, 1, 2)
		c.set("b", func(n *testNode) { n.silent = false })
		c.wantAskedSince(func() { mustPut(t, co, "k", "v2") }, 1, 0)
		c.passing("a", "c")
		mustPut(t, co, "k", "v3")
		c.messages.Wait()
		if n := c.nodes["a"].got[wire.OpRead] + c.nodes["c"].got[wire.OpRead]; n != 2 {
			t.Errorf("with an owner that doesn't pass, %d were asked first, want 2", n)
		}
	})
}

// With one OK, one "never" and one owner that takes nothing, a put would stay in doubt, and find out only when its time is up.
func TestPutAsksFirstWhileAnOwnerTakesNothing(t *testing.T) {
	inCluster(t, func(t *testing.T, c *cluster) {
		co := c.coordinator(1, 0, coordinator.Options{})
		c.nodes["b"].refuseWrites(wire.Full)
		c.set("a", func(n *testNode) { n.delay = 5 * time.Millisecond }) // so that the refusal comes before the last OK
		mustPut(t, co, "k", "v1")
		c.messages.Wait()
		c.wantAskedSince(func() { mustPut(t, co, "k", "v2") }, 1, 2)
	})
}

// Delete says whether there was something, and writes nothing where there wasn't. Both have to be known first.
func TestDeleteAsksFirst(t *testing.T) {
	inCluster(t, func(t *testing.T, c *cluster) {
		co := c.coordinator(1, 0, coordinator.Options{})
		mustPut(t, co, "k", "v")
		c.messages.Wait()
		c.wantAskedSince(func() { co.Delete(t.Context(), "k") }, 1, 2)
	})
}

// Writers of one key that meet all the time: each is acknowledged, and takes two round trips at most.
func TestContendedPutsAreAcknowledged(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newCluster(t, 5, 3, "a", "b", "c")
		const writers, each = 8, 50
		var all sync.WaitGroup
		for i := range writers {
			co := c.coordinator(uint64(i+1), time.Duration(i)*time.Millisecond, coordinator.Options{})
			all.Go(func() {
				for n := range each {
					if _, err := co.Put(t.Context(), "k", fmt.Append(nil, i, n), ""); err != nil {
						t.Errorf("writer %d: %v", i, err)
					}
				}
			})
		}
		all.Wait()
		c.messages.Wait()
		sent := 0
		for _, n := range c.nodes {
			if n.got[wire.OpRead] > 0 {
				t.Errorf("%s was asked to read %d times, want never", n.id, n.got[wire.OpRead])
			}
			sent += n.got[wire.OpWrite]
		}
		t.Logf("%.2f round trips a put", float64(sent)/(3*writers*each))
		if puts := writers * each; sent <= 3*puts || sent > 2*3*puts {
			t.Errorf("%d copies of %d puts were sent to three owners, want more than one to each, and two at most", sent, puts)
		}
	})
}

// A ballot from a gateway whose clock is ahead, that two owners have promised and nobody has used, stands in the way of a put that asks nobody first. The third
// owner takes it. As nobody can have seen it, it is tried again above that.
func TestPutBelowABallotThatWasNeverUsed(t *testing.T) {
	inCluster(t, func(t *testing.T, c *cluster) {
		co := c.coordinator(1, 0, coordinator.Options{})
		mustPut(t, co, "k", "v1")
		c.messages.Wait()
		view := c.view.Load()
		ballot := record.Version{HLC: uint64(time.Now().Add(time.Second).UnixMilli()) << 16, Writer: 7}
		replies := make(chan wire.Reply, 2)
		for _, id := range c.ids[:2] {
			req := &wire.Request{Op: wire.OpPrepare, Config: view.Config(view.Slot("k")), Key: "k", Ballot: ballot}
			c.Send(id, id, req, time.Now().Add(time.Second), replies)
		}
		c.messages.Wait()
		for range c.ids[:2] {
			if r := <-replies; r.Err != nil || r.Response.Status != wire.OK {
				t.Fatalf("prepare = %+v", r)
			}
		}
		c.set(c.ids[2], func(n *testNode) { n.delay = 5 * time.Millisecond }) // what the others hold is found before that it took the put
		mustPut(t, co, "k", "v2")
		wantValue(t, c.coordinator(2, 0, coordinator.Options{}), "k", "v2")
	})
}

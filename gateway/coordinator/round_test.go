package coordinator_test

import (
	"fmt"
	"testing"
	"time"

	"ringkv/gateway/coordinator"
	"ringkv/node/record"
	"ringkv/node/wire"
)

// What one operation was told too late must not be taken for an answer to the next.
func TestLateRepliesAreNobodysElse(t *testing.T) {
	inCluster(t, func(t *testing.T, c *cluster) {
		co := c.coordinator(1, 0, coordinator.Options{})
		for i := range 10 {
			mustPut(t, co, fmt.Sprint(i), fmt.Sprint("value of ", i))
		}
		c.messages.Wait()
		for i := range 200 {
			// Later than the others', and at some time or other of the operations behind.
			c.set([]string{"a", "b", "c"}[i%3], func(n *testNode) { n.delay = time.Duration(i%7) * 5 * time.Millisecond })
			key := fmt.Sprint(i % 10)
			if i%4 == 3 {
				mustPut(t, co, key, fmt.Sprint("value of ", key))
				continue
			}
			wantValue(t, co, key, "value of "+key)
		}
	})
}

// delayed brings the replies to reads after a time of its own.
type delayed struct {
	*cluster
	after time.Duration
	reads int
}

// Send implements coordinator.Peers.
func (d *delayed) Send(id, addr string, req *wire.Request, deadline time.Time, to chan<- wire.Reply) {
	if req.Op == wire.OpRead {
		d.reads++
	}
	at := time.Now().Add(d.after)
	inner := make(chan wire.Reply, 1)
	d.cluster.Send(id, addr, req, deadline, inner)
	d.messages.Go(func() {
		reply := <-inner
		time.Sleep(time.Until(at)) // fake time
		to <- reply
	})
}

// Where replies come in the very moment from which on they count as slow, the next operation must not take its own for slow.
func TestSlownessIsNobodysElse(t *testing.T) {
	inCluster(t, func(t *testing.T, c *cluster) {
		const hedgeAfter = 15 * time.Millisecond
		mustPut(t, c.coordinator(1, 0, coordinator.Options{}), "k", "v")
		c.messages.Wait()
		d := &delayed{cluster: c}
		co, err := coordinator.New(c.view.Load, d, record.NewClock(time.Now, 2, 5*time.Second), coordinator.Options{HedgeAfter: hedgeAfter})
		if err != nil {
			t.Fatal(err)
		}
		for range 200 {
			d.after = hedgeAfter
			wantValue(t, co, "k", "v")
			c.messages.Wait()
			d.after, d.reads = 0, 0
			start := time.Now()
			wantValue(t, co, "k", "v")
			if took := time.Since(start); d.reads > 2 && took < hedgeAfter {
				t.Fatalf("a read asked %d owners and took %v", d.reads, took)
			}
			c.messages.Wait()
		}
	})
}

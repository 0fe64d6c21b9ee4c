//go:build integration

package integration

import (
	"fmt"
	"strconv"
	"sync"
	"sync/atomic"
	"testing"
)

// Clients of two gateways count up one number, each on the condition that it's what they read; then they create keys, each of which
// must not be there. A node dies meanwhile.
func conditionalWrites(t *testing.T, c *Cluster) {
	l := c.StartLoad(t, steady, "g1", "g2")
	l.Fault("kill n3")
	c.KillNode(t, "n3")
	c.countUp(t)
	c.StartNode(t, "n3")
	c.createOnce(t)
	c.WaitRing(t, 3)
	l.Continue(t, loadRate)
	l.Judge(t, Promise{})
}

// countUp has four clients add one to a number until each has done so often enough, and checks the sum.
func (c *Cluster) countUp(t *testing.T) {
	t.Helper()
	const clients, each, tries = 4, 25, 2000
	key := t.Name() + "/counter"
	if r := c.client.Put(t.Context(), c.Address(t, "g1"), key, "0"); r.Status != 200 {
		t.Fatalf("PUT %q = %v, want 200", key, r)
	}
	var unknown, mismatched atomic.Int64
	var counting sync.WaitGroup
	for i := range clients {
		addr := c.Address(t, c.Gateways()[i%2])
		counting.Go(func() {
			done := 0
			for try := 0; done < each; try++ {
				if try == tries {
					t.Errorf("client %d counted up %d times in %d tries, want %d", i, done, tries, each)
					return
				}
				read := c.client.Get(t.Context(), addr, key)
				n, err := strconv.Atoi(read.Value)
				if read.Status != 200 || err != nil {
					continue // a node has just died
				}
				switch r := c.client.PutIf(t.Context(), addr, key, strconv.Itoa(n+1), read.Version); {
				case r.Status == 200:
					done++
				case r.Status == 412 && r.Error == "precondition_failed":
					mismatched.Add(1)
				case r.Outcome != "none":
					unknown.Add(1)
				}
			}
		})
	}
	counting.Wait()
	r := c.client.Get(t.Context(), c.Address(t, "g2"), key)
	n, err := strconv.Atoi(r.Value)
	if least := clients * each; err != nil || n < least || int64(n) > int64(least)+unknown.Load() {
		t.Errorf("the counter = %v, want %d, and as many as %d more whose outcome is unknown", r, least, unknown.Load())
	}
	if mismatched.Load() == 0 {
		t.Error("no client found the counter changed by another: nothing was tested")
	}
	t.Logf("the counter is %d; %d times it had changed meanwhile, %d outcomes are unknown", n, mismatched.Load(), unknown.Load())
}

// createOnce has clients of both gateways create the same keys at the same time: one of them may, and the others are told.
func (c *Cluster) createOnce(t *testing.T) {
	t.Helper()
	const keys, clients = 20, 6
	for i := range keys {
		key := fmt.Sprintf("%s/once/%d", t.Name(), i)
		replies := make([]Reply, clients)
		var creating sync.WaitGroup
		for n := range clients {
			addr := c.Address(t, c.Gateways()[n%2])
			creating.Go(func() { replies[n] = c.client.PutIf(t.Context(), addr, key, fmt.Sprint("of client ", n), "") })
		}
		creating.Wait()
		final := c.client.Get(t.Context(), c.Address(t, "g1"), key)
		created := 0
		for n, r := range replies {
			if r.Status == 200 {
				created++
			}
			if won := final.Value == fmt.Sprint("of client ", n); r.Status == 200 && !won || won && (r.Status == 412 || r.Outcome == "none") {
				t.Errorf("client %d was answered %v, and the value is %v", n, r, final)
			}
		}
		if created > 1 || final.Status != 200 {
			t.Errorf("%q was created %d times, and then is %v, want once: %v", key, created, final, replies)
		}
	}
}

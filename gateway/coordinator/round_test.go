package coordinator_test

import (
	"fmt"
	"testing"
	"time"

	"ringkv/gateway/coordinator"
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

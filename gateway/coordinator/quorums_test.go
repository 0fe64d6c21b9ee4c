package coordinator_test

import (
	"fmt"
	"math/rand/v2"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"ringkv/gateway/coordinator"
	"ringkv/integration/oracle"
)

// TestLinearizableWithOtherQuorums is TestLinearizable with other numbers of copies, with coordinators that ask for different quorums, and with clients
// that meet at one key all the time.
func TestLinearizableWithOtherQuorums(t *testing.T) { wantLinearizable(t, *seeds/4, contendedRun) }

// contendedRun returns the history of one seed.
func contendedRun(t *testing.T, seed uint64) []oracle.Op {
	history := oracle.NewHistory(nil)
	synctest.Test(t, func(t *testing.T) {
		start := time.Now()
		history = oracle.NewHistory(func() time.Duration { return time.Since(start) })
		rng := rand.New(rand.NewPCG(seed, 3))
		n := []int{1, 2, 2, 4, 5, 5}[rng.IntN(6)]
		ids := []string{"a", "b", "c", "d", "e", "f"}[:max(2, n+rng.IntN(2))]
		c := newCluster(t, seed, n, ids...)
		var cos []*coordinator.Coordinator
		for i := range 3 {
			w := n/2 + 1 + rng.IntN(n-n/2)
			r := n - w + 1 + rng.IntN(w)
			skew := time.Duration(rng.IntN(40)-20) * time.Duration(1+rng.IntN(50)) * time.Millisecond
			cos = append(cos, c.coordinator(uint64(i+1), skew, coordinator.Options{Replicas: n, WriteQuorum: w, ReadQuorum: r, Timeout: 300 * time.Millisecond}))
		}
		var clients sync.WaitGroup
		for i := range 6 {
			own := rand.New(rand.NewPCG(seed, uint64(100+i)))
			clients.Go(func() {
				for n := range 18 {
					time.Sleep(time.Duration(own.ExpFloat64() * float64(4*time.Millisecond))) // fake time
					if own.IntN(5) < 2 {
						key, value := []string{"x", "y"}[own.IntN(4)/3], fmt.Sprintf("%d.%d", i, n)
						op := history.Begin(i, oracle.Put, key, value)
						v, err := cos[own.IntN(len(cos))].Put(t.Context(), key, []byte(value), "")
						end(op, err, oracle.Answer{Version: v.String()})
						continue
					}
					operate(t.Context(), history, cos[own.IntN(len(cos))], own, i, n)
				}
			})
		}
		disturbed := make(chan struct{})
		go func() { defer close(disturbed); c.disturb(rng, ids) }()
		clients.Wait()
		<-disturbed
	})
	return history.Ops()
}

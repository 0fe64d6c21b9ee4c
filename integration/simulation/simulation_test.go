package simulation

import (
	"flag"
	"fmt"
	"hash/fnv"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

var (
	oneSeed = flag.Uint64("seed", 0, "run only this `seed`, and print its trace")
	seeds   = flag.Int("seeds", 20, "run so `many` seeds")
	from    = flag.Uint64("from", 1, "the first `seed`")
)

func TestSimulation(t *testing.T) {
	first, last := *from, *from+uint64(*seeds)-1
	if *oneSeed != 0 {
		first, last = *oneSeed, *oneSeed
	}
	for s := first; s <= last; s++ {
		began := time.Now()
		w := simulate(t, s)
		text := w.trace.String()
		if *oneSeed != 0 {
			t.Log("\n" + text)
		}
		h := fnv.New64a()
		h.Write([]byte(text))
		acked := w.history.Acknowledged()
		t.Logf("seed %d: %v real, %d acked of %d, %d placements, trace %x", s, time.Since(began).Round(time.Millisecond), acked, len(w.history.Ops()), w.written, h.Sum64())
		if len(w.failures) > 0 {
			t.Errorf("seed %d: %s", s, strings.Join(w.failures, "\n"))
		}
	}
}

// simulate runs one seed.
func simulate(t *testing.T, seed uint64) (w *world) {
	synctest.Test(t, func(t *testing.T) {
		w = newWorld(seed)
		done := make(chan struct{})
		var running sync.WaitGroup
		running.Go(func() { w.consul.run(done) })
		for _, m := range w.machines() {
			m.setSkew(time.Duration(w.random("skew "+m.name).Int64N(int64(2*w.plan.skew+1))) - w.plan.skew)
		}
		starts := w.random("starts")
		for i, n := range w.nodes {
			time.Sleep(exponential(starts, 20*time.Millisecond))
			if i < w.plan.first {
				n.start()
			}
		}
		for _, g := range w.gateways {
			time.Sleep(exponential(starts, 20*time.Millisecond))
			g.start()
		}
		w.trace.note("-", "%s", fmt.Sprintf("%+v", *w.plan))
		stop := make(chan struct{})
		for i := range users {
			running.Go(func() { w.use(i, stop) })
		}
		if !w.plan.early {
			w.converge()
		}
		w.net.makeNoise()
		w.disturb()
		w.heal()
		w.converge()
		close(stop)
		time.Sleep(10 * time.Second)
		if len(w.failures) == 0 {
			w.judge()
		}
		close(done)
		for _, m := range w.machines() {
			m.end()
		}
		w.lives.Wait()
		running.Wait()
	})
	return w
}

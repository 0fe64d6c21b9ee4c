package simulation

import (
	"fmt"
	"runtime"
	"runtime/debug"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

// simulate runs one seed. Garbage is collected before it, as collecting changes the order in which goroutines go on.
func simulate(t *testing.T, seed uint64) (w *world) {
	runtime.GC()
	defer debug.SetGCPercent(debug.SetGCPercent(-1))
	defer debug.SetMemoryLimit(debug.SetMemoryLimit(400 << 20))
	var o *outcome
	stuck := time.AfterFunc(patience, func() {
		panic(fmt.Sprintf("seed %d still runs after %v: repeat it with %s", seed, patience, command(seed)))
	})
	synctest.Test(t, func(*testing.T) {
		w = newWorld(seed)
		o = w.run()
	})
	stuck.Stop()
	if o != nil {
		w.judge(o)
	}
	return w
}

// run is one run from its beginning to its end. It returns nil where it went so wrong that there is nothing to judge.
func (w *world) run() (o *outcome) {
	w.trace.note("-", "%+v", *w.plan)
	done, stop := make(chan struct{}), make(chan struct{})
	var running sync.WaitGroup
	w.lives.Go(func() { w.consul.run(done) })
	w.lives.Go(func() { w.tend(done) })
	w.start()
	for i := range users {
		running.Go(func() { w.use(i, stop) })
	}
	if !w.plan.early {
		w.converge(false)
	}
	w.net.makeNoise()
	w.disturb()
	w.heal()
	time.Sleep(3 * time.Second)
	close(stop)
	running.Wait()
	w.sight() // which finds what is damaged, so that it's repaired
	w.converge(true)
	if len(w.failures) == 0 {
		o = w.conclude()
	}
	w.mu.Lock()
	w.ended = true
	w.mu.Unlock()
	close(done)
	for _, m := range w.machines() {
		m.end()
	}
	w.lives.Wait()
	return o
}

// start starts the machines, each at a time of its own.
func (w *world) start() {
	rng := w.random("start")
	for _, m := range w.machines() {
		m.setSkew(time.Duration(rng.Int64N(int64(2*w.plan.skew+1))) - w.plan.skew)
	}
	first, last := w.gateways[0], w.gateways[len(w.gateways)-1]
	first.setSkew(time.Until(first.now()) + w.plan.ahead)
	last.setSkew(time.Until(last.now()) - w.plan.behind)
	for _, n := range w.nodes[:w.plan.first] {
		time.Sleep(exponential(rng, 20*time.Millisecond))
		n.start()
	}
	for _, g := range w.gateways {
		time.Sleep(exponential(rng, 20*time.Millisecond))
		g.start()
	}
}

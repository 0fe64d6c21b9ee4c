package simulation

import (
	"math/rand/v2"
	"time"
)

// fork returns a generator of its own for something that runs beside the rest.
func fork(rng *rand.Rand) *rand.Rand {
	return rand.New(&source{pcg: rand.NewPCG(rng.Uint64(), rng.Uint64())})
}

// crowd lets several users at one key at once, and returns at once. Only faults may call it.
func (w *world) crowd(rng *rand.Rand, key string) {
	spread := pick(rng, 300*time.Microsecond, 2*time.Millisecond, 10*time.Millisecond)
	for user := range 3 + rng.IntN(users-2) {
		own := fork(rng)
		w.faults.Go(func() {
			time.Sleep(exponential(own, spread))
			for range 1 + own.IntN(2) {
				w.operate(own, user, w.serial(), key)
			}
		})
	}
}

// serial numbers what crowds write, beyond what users number themselves.
func (w *world) serial() int {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.serials++
	return 1_000_000 + w.serials
}

// freshest returns a key that may still be used a lot.
func (w *world) freshest(rng *rand.Rand) string {
	i := rng.IntN(len(w.plan.keys))
	w.mu.Lock()
	defer w.mu.Unlock()
	best := w.plan.keys[i]
	for _, key := range w.plan.keys {
		if w.left[key] > w.left[best]+opsPerKey/4 {
			best = key
		}
	}
	return best
}

// roughen makes the ways from gateways to nodes slow and lossy, and their clocks differ, until smooth is called.
func (w *world) roughen(rng *rand.Rand) (smooth func()) {
	mean, lose := pick(rng, 0, time.Millisecond, 5*time.Millisecond, 20*time.Millisecond), pick(rng, 0, 0, 0.2, 0.4)
	far := pick(rng, 20*time.Millisecond, 200*time.Millisecond, 4*time.Second)
	set := func(mean time.Duration, lose float64) {
		for _, g := range w.gateways {
			for _, n := range w.nodes {
				w.net.set(g.name, n.name, func(l *link) { l.slow, l.lose = mean, lose })
			}
		}
	}
	set(mean, lose)
	for _, g := range w.gateways {
		g.setSkew(time.Duration(rng.Int64N(2*int64(far))) - far)
	}
	return func() { set(0, 0) }
}

// contend has crowds at one key while messages of one operation overtake those of another.
func contend(w *world, rng *rand.Rand) {
	smooth := w.roughen(rng)
	key := w.freshest(rng)
	for range 2 + rng.IntN(3) {
		w.crowd(rng, key)
		time.Sleep(exponential(rng, pick(rng, 3*time.Millisecond, 30*time.Millisecond)))
	}
	time.Sleep(exponential(rng, 50*time.Millisecond))
	smooth()
	w.crowd(rng, key)
}

// away takes a node away until back is called: it is killed, halted, or cut off from all others.
func (w *world) away(rng *rand.Rand, n *node) (back func()) {
	if !n.seize() {
		return func() {}
	}
	switch rng.IntN(3) {
	case 0:
		w.trace.note(n.name, "is paused")
		n.pause()
		return func() { n.resume(); n.release() }
	case 1:
		n.kill(rng, rng.IntN(2) == 0)
		return func() { n.again(rng); n.release() }
	}
	known := rng.IntN(2) == 0
	set := func(cut bool) {
		w.trace.note(n.name, "is cut off: %v", cut)
		for _, m := range w.machines() {
			if m.name != n.name {
				w.net.set(n.name, m.name, func(l *link) { l.cut, l.known = cut, cut && known })
				w.net.set(m.name, n.name, func(l *link) { l.cut, l.known = cut, cut && known })
			}
		}
	}
	set(true)
	return func() { set(false); n.release() }
}

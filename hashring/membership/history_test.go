package membership

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"
	"testing/synctest"
	"time"
)

// A history is what may legally happen to a Consul and its nodes, in random order.
type history struct {
	t      *testing.T
	random *rand.Rand
	consul *fakeConsul
	nodes  []string
	log    []string
}

func (h *history) pick() string { return h.nodes[h.random.IntN(len(h.nodes))] }

func (h *history) pause(most time.Duration) {
	sleep(h.t.Context(), time.Duration(h.random.Int64N(int64(most))))
}

// outage makes Consul fail in one of its ways for a while.
func (h *history) outage() {
	c := h.consul
	kind := h.random.IntN(4)
	c.do(func() {
		switch kind {
		case 0:
			c.err = errDown
		case 1:
			c.err = ErrNoServer
		case 2:
			c.lying = true
		case 3:
			c.hanging = true
		}
	})
	h.pause(2 * time.Minute)
	c.do(func() { c.err, c.lying, c.hanging = nil, false, false })
}

// forget makes Consul lose all nodes by one of its ways, while they serve; they are back within seconds.
func (h *history) forget() {
	c := h.consul
	switch h.random.IntN(3) {
	case 0:
		c.check(false, h.nodes...)
	case 1: // one by one, as fast as an agent pushes them
		for _, i := range h.random.Perm(len(h.nodes)) {
			c.check(false, h.nodes[i])
			h.pause(20 * time.Millisecond)
		}
	case 2:
		c.wipe()
	}
	for _, i := range h.random.Perm(len(h.nodes)) {
		h.pause(time.Second)
		c.join(h.nodes[i])
	}
}

func (h *history) die() {
	id := h.pick()
	h.consul.die(id)
	h.pause(2 * time.Second)
	if _, registered := h.consul.entries[id]; registered {
		h.consul.check(false, id)
	}
}

func (h *history) leave() {
	id := h.pick()
	h.consul.die(id) // says that it's draining
	h.consul.do(func() { h.consul.index++; delete(h.consul.entries, id) })
}

func (h *history) flip() {
	id := h.pick()
	if _, registered := h.consul.entries[id]; registered {
		h.consul.check(h.random.IntN(2) == 0, id)
	}
}

func (h *history) wake() { h.consul.do(func() { h.consul.index++ }) }

// step does one of these, and notes it for a failure.
func (h *history) step(kinds ...string) {
	kind := kinds[h.random.IntN(len(kinds))]
	h.log = append(h.log, kind)
	switch kind {
	case "outage":
		h.outage()
	case "forget":
		h.forget()
	case "die":
		h.die()
	case "leave":
		h.leave()
	case "flip":
		h.flip()
	case "join":
		h.consul.join(h.pick())
	case "wake":
		h.wake()
	}
}

// check looks at every snapshot that w publishes until the test ends.
func (h *history) check(w *Watcher, least int) {
	wakes := w.Subscribe()
	done := make(chan struct{})
	go func() {
		defer close(done)
		for {
			select {
			case <-wakes:
			case <-h.t.Context().Done():
				return
			}
			got := ids(w.Snapshot().Members)
			if len(got) < least {
				h.t.Errorf("ring shrank to %v, want at least %d, after %v", got, least, h.log)
			}
			if !slices.IsSorted(got) || len(slices.Compact(slices.Clone(got))) != len(got) {
				h.t.Errorf("members = %v, want them sorted and distinct", got)
			}
		}
	}()
	h.t.Cleanup(func() { <-done })
}

// histories runs f with random histories of clusters of one to six nodes, each from a seed that a failure names.
func histories(t *testing.T, f func(h *history, w *Watcher)) {
	for seed := range uint64(60) {
		t.Run(fmt.Sprint("seed", seed), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				random := rand.New(rand.NewPCG(seed, 1))
				var nodes []string
				for i := range 1 + random.IntN(6) {
					nodes = append(nodes, fmt.Sprint("n", i))
				}
				h := &history{t: t, random: random, consul: newFakeConsul(nodes...), nodes: nodes}
				o := quiet()
				o.Random = rand.New(rand.NewPCG(seed, 2)).Float64
				w := NewWatcher(h.consul.query, h.consul.probe, o)
				run(t, w.Run)
				<-w.Ready()
				f(h, w)
			})
		})
	}
}

// Whatever happens, the ring is never emptied, and once it's calm it is what Consul says.
func TestRandomHistoriesConverge(t *testing.T) {
	histories(t, func(h *history, w *Watcher) {
		h.check(w, 1)
		for range 40 {
			h.step("outage", "forget", "die", "leave", "flip", "join", "join", "wake")
			h.pause(5 * time.Second)
		}
		calm := resyncEvery + resyncEvery/5 + waitTime + holdFor + callSlack
		sleep(h.t.Context(), calm)
		want := h.consul.passes()
		if len(want) == 0 {
			return // and so the last ring stays, which check has looked at
		}
		wantMembers(h.t, w, want...)
		wantState(h.t, w, Live)
		if age := time.Since(w.LastContact()); age > waitTime+time.Second {
			h.t.Errorf("last contact %v ago in calm weather", age)
		}
	})
}

// As long as all nodes serve, nothing that Consul does by itself takes out more than an ordinary failure would.
func TestConsulAloneNeverTakesOutTheRing(t *testing.T) {
	histories(t, func(h *history, w *Watcher) {
		h.check(w, len(h.nodes)-max(1, len(h.nodes)/2))
		for range 15 {
			h.step("outage", "forget", "wake")
			h.pause(10 * time.Second)
			sleep(h.t.Context(), waitTime+holdFor) // long enough that one doubt ends before the next begins
		}
		sleep(h.t.Context(), 2*resyncEvery)
		wantMembers(h.t, w, h.nodes...)
		wantState(h.t, w, Live)
	})
}

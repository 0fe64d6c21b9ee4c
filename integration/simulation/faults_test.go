package simulation

import (
	"math/rand/v2"
	"sync"
	"time"

	"ringkv/hashring/placement"
)

// A kind of fault breaks something for a while, and mends it. It returns at once where it can't be done now.
type kind struct {
	name  string
	fault func(w *world, rng *rand.Rand)
}

var kinds = []kind{
	{"kill", killOne}, {"power", powerOne}, {"die writing", dieWriting}, {"kill all", killAll}, {"wipe", wipeOne}, {"restart", restartOne},
	{"cut", cutLink}, {"one-way cut", cutOneWay}, {"isolate", isolate}, {"slow link", slowLink}, {"lose", loseMessages},
	{"pause", pauseOne}, {"clock", jumpClock}, {"gateway", killGateway},
	{"consul down", consulDown}, {"consul empty", consulEmpty}, {"consul old", consulOld}, {"stale client", staleClient}, {"flap", flapOne},
	{"move", moveData}, {"moves", moveOften}, {"join", joinOne}, {"leave", leaveOne}, {"lost", loseSome},
	{"sync", failSync}, {"full", fillDisk}, {"flip", flipBits},
}

// storms are several faults together at the moments that matter most. Most runs have them.
var storms = []kind{{"storm", storm}, {"storm", storm}, {"contend", contend}, {"hand over", handOver}}

// storm moves data while some gateways go by what was before, and nodes lose their power and come back at once.
func storm(w *world, rng *rand.Rand) {
	var parts sync.WaitGroup
	part := func(f func(rng *rand.Rand)) {
		own := fork(rng)
		after := exponential(rng, pick(rng, time.Millisecond, 5*time.Millisecond, 50*time.Millisecond))
		parts.Go(func() { time.Sleep(after); f(own) })
	}
	for _, g := range w.gateways[rng.IntN(len(w.gateways)+1):] {
		w.consul.freeze(g.name, true)
	}
	w.stir()
	for range 1 + rng.IntN(2) {
		part(func(own *rand.Rand) { moveData(w, own) })
	}
	for range rng.IntN(3) {
		part(func(own *rand.Rand) { blink(w, own) })
	}
	if rng.IntN(2) == 0 {
		part(func(own *rand.Rand) { cutOneWay(w, own) })
	}
	parts.Wait()
	time.Sleep(exponential(rng, 100*time.Millisecond))
	w.stir()
	time.Sleep(exponential(rng, pick(rng, 100*time.Millisecond, time.Second)))
	for _, g := range w.gateways {
		w.consul.freeze(g.name, false)
	}
}

// blink takes the power from a node for a moment.
func blink(w *world, rng *rand.Rand) {
	n, release := takeNode(w, rng)
	if n == nil {
		return
	}
	defer release()
	n.kill(rng, true)
	time.Sleep(exponential(rng, 5*time.Millisecond))
	n.start()
	w.stir()
}

// String returns the kind's name.
func (k kind) String() string { return k.name }

// disturb breaks things until the time is over, and waits until all of it is mended.
func (w *world) disturb() {
	rng := w.random("faults")
	w.setDisturbed(true)
	end := time.Now().Add(w.plan.length)
	for n := 0; time.Now().Before(end); n++ {
		time.Sleep(exponential(rng, w.plan.between))
		if len(w.plan.kinds) == 0 {
			continue
		}
		k := w.plan.kinds[rng.IntN(len(w.plan.kinds))]
		own := fork(rng)
		w.faults.Go(func() { k.fault(w, own) })
		if rng.IntN(3) == 0 {
			w.sight()
		}
	}
	w.setDisturbed(false)
	w.faults.Wait()
}

// setDisturbed notes whether more faults may begin.
func (w *world) setDisturbed(disturbed bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.disturbed = disturbed
}

// last lets the fault last for a while, with users in the middle of it.
func (w *world) last(rng *rand.Rand) {
	w.stir()
	time.Sleep(exponential(rng, pick(rng, 20*time.Millisecond, 300*time.Millisecond, 2*time.Second, 5*time.Second)))
	w.stir()
}

// take chooses a machine that no other fault is at, and keeps others off until the returned function is called.
func takeNode(w *world, rng *rand.Rand) (*node, func()) {
	n := w.nodes[rng.IntN(len(w.nodes))]
	if !n.seize() {
		return nil, nil
	}
	return n, n.release
}

func (m *machine) seize() bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.seized || m.running == nil {
		return false
	}
	m.seized = true
	return true
}

// seizeDown is seize for a machine that is down.
func (m *machine) seizeDown() bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.seized || m.running != nil {
		return false
	}
	m.seized = true
	return true
}

func (m *machine) release() {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.seized = false
}

func killOne(w *world, rng *rand.Rand)  { killNode(w, rng, false) }
func powerOne(w *world, rng *rand.Rand) { killNode(w, rng, true) }

func killNode(w *world, rng *rand.Rand, power bool) {
	n, release := takeNode(w, rng)
	if n == nil {
		return
	}
	defer release()
	n.kill(rng, power)
	w.last(rng)
	n.again(rng)
}

// again starts a node that is down, sometimes at another address.
func (n *node) again(rng *rand.Rand) {
	if rng.IntN(4) == 0 {
		n.port.Add(1)
	}
	n.start()
}

// dieWriting kills a node within a write.
func dieWriting(w *world, rng *rand.Rand) {
	n, release := takeNode(w, rng)
	if n == nil {
		return
	}
	defer release()
	n.killAt(1+rng.IntN(30), rng, rng.IntN(3) > 0)
	for range 1 + rng.IntN(3) {
		w.last(rng)
	}
	n.kill(rng, true) // if it hasn't written so much
	w.last(rng)
	n.again(rng)
}

func killAll(w *world, rng *rand.Rand) {
	power := rng.IntN(2) == 0
	var dead []*node
	for _, n := range w.nodes {
		if n.seize() {
			dead = append(dead, n)
			n.kill(rng, power)
		}
	}
	w.last(rng)
	for _, i := range rng.Perm(len(dead)) {
		time.Sleep(exponential(rng, 50*time.Millisecond))
		dead[i].again(rng)
		dead[i].release()
	}
}

// wipeOne loses a disk for good, when all that was acknowledged has its copies.
func wipeOne(w *world, rng *rand.Rand) {
	n, release := takeNode(w, rng)
	if n == nil {
		return
	}
	defer release()
	if !w.maySpare(n) {
		return
	}
	w.lose(n)
	n.kill(rng, true)
	n.wipe()
	w.last(rng)
	n.again(rng)
}

// restartOne stops a node in order, and starts it again.
func restartOne(w *world, rng *rand.Rand) {
	n, release := takeNode(w, rng)
	if n == nil {
		return
	}
	defer release()
	w.consul.deregister(n.name)
	time.Sleep(exponential(rng, 100*time.Millisecond))
	n.stop()
	w.last(rng)
	n.again(rng)
}

// two returns the names of two machines, of which one may be Consul.
func two(w *world, rng *rand.Rand) (string, string) {
	names := []string{"consul"}
	for _, m := range w.machines() {
		names = append(names, m.name)
	}
	p := rng.Perm(len(names))
	return names[p[0]], names[p[1]]
}

func (w *world) cut(rng *rand.Rand, pairs ...[2]string) {
	known := rng.IntN(2) == 0
	for _, p := range pairs {
		w.trace.note(p[0], "can't reach %s, and knows: %v", p[1], known)
		w.net.set(p[0], p[1], func(l *link) { l.cut, l.known = true, known })
	}
	w.last(rng)
	for _, p := range pairs {
		w.trace.note(p[0], "reaches %s again", p[1])
		w.net.set(p[0], p[1], func(l *link) { l.cut, l.known = false, false })
	}
}

func cutLink(w *world, rng *rand.Rand) {
	a, b := two(w, rng)
	w.cut(rng, [2]string{a, b}, [2]string{b, a})
}

func cutOneWay(w *world, rng *rand.Rand) {
	a, b := two(w, rng)
	w.cut(rng, [2]string{a, b})
}

// isolate cuts one machine off from all others, or lets it hear and not speak, or the other way.
func isolate(w *world, rng *rand.Rand) {
	a, _ := two(w, rng)
	way := rng.IntN(3)
	var pairs [][2]string
	for _, m := range w.machines() {
		if m.name != a && way != 1 {
			pairs = append(pairs, [2]string{a, m.name})
		}
		if m.name != a && way != 2 {
			pairs = append(pairs, [2]string{m.name, a})
		}
	}
	w.cut(rng, pairs...)
}

func slowLink(w *world, rng *rand.Rand) {
	a, b := two(w, rng)
	slow := pick(rng, 5*time.Millisecond, 50*time.Millisecond, 400*time.Millisecond)
	w.trace.note(a, "reaches %s slowly, %v", b, slow)
	w.net.set(a, b, func(l *link) { l.slow = slow })
	w.last(rng)
	w.net.set(a, b, func(l *link) { l.slow = 0 })
}

func loseMessages(w *world, rng *rand.Rand) {
	a, b := two(w, rng)
	share := pick(rng, 0.2, 0.5, 0.9)
	w.trace.note(a, "loses %v of what it sends to %s", share, b)
	w.net.set(a, b, func(l *link) { l.lose = share })
	w.last(rng)
	w.net.set(a, b, func(l *link) { l.lose = 0 })
}

func pauseOne(w *world, rng *rand.Rand) {
	all := w.machines()
	m := all[rng.IntN(len(all))]
	if !m.seize() {
		return
	}
	defer m.release()
	w.trace.note(m.name, "is paused")
	m.pause()
	w.last(rng)
	m.resume()
	w.trace.note(m.name, "goes on")
}

func jumpClock(w *world, rng *rand.Rand) {
	all := w.machines()
	m := all[rng.IntN(len(all))]
	far := pick(rng, 500*time.Millisecond, 4*time.Second, 10*time.Minute, time.Hour)
	d := time.Duration(rng.Int64N(2*int64(far))) - far
	w.trace.note(m.name, "its clock is off by %v", d)
	m.setSkew(d)
	w.last(rng)
	if rng.IntN(2) == 0 {
		m.setSkew(0)
	}
}

func killGateway(w *world, rng *rand.Rand) {
	g := w.gateways[rng.IntN(len(w.gateways))]
	if !g.seize() {
		return
	}
	defer g.release()
	w.trace.note(g.name, "killed")
	g.end()
	w.last(rng)
	g.start()
}

func consulDown(w *world, rng *rand.Rand) {
	w.trace.note("consul", "out of reach")
	w.consul.setDown(true)
	w.last(rng)
	w.consul.setDown(false)
}

func consulEmpty(w *world, rng *rand.Rand) { restartConsul(w, rng, true) }
func consulOld(w *world, rng *rand.Rand)   { restartConsul(w, rng, false) }

func restartConsul(w *world, rng *rand.Rand, empty bool) {
	w.consul.setDown(true)
	w.last(rng)
	w.trace.note("consul", "is back, empty: %v", empty)
	w.consul.restart(empty)
	w.consul.setDown(false)
	w.last(rng)
}

func staleClient(w *world, rng *rand.Rand) {
	all := w.machines()
	m := all[rng.IntN(len(all))]
	w.trace.note(m.name, "sees nothing new in Consul")
	w.consul.freeze(m.name, true)
	w.last(rng)
	w.last(rng)
	w.consul.freeze(m.name, false)
}

func flapOne(w *world, rng *rand.Rand) {
	n := w.nodes[rng.IntN(len(w.nodes))]
	w.trace.note(n.name, "flaps")
	w.consul.flap(n.name, true)
	w.last(rng)
	w.consul.flap(n.name, false)
}

// moveData writes another placement, as an operator may.
func moveData(w *world, rng *rand.Rand) {
	w.mu.Lock()
	w.plan.moves--
	none := w.plan.moves < 0
	w.mu.Unlock()
	d, modified := w.consul.stored()
	if none || d == nil || !w.newest(d) {
		return
	}
	var up []placement.Node
	for _, n := range w.nodes {
		if n.up() {
			if m := n.member(); !d.Departed(n.identity()) {
				up = append(up, placement.Node{ID: m.ID, Weight: m.Weight, Disk: m.Disk})
			}
		}
	}
	if len(up) < replicas {
		return
	}
	rng.Shuffle(len(up), func(i, j int) { up[i], up[j] = up[j], up[i] })
	w.place(d, modified, up[:replicas+rng.IntN(len(up)-replicas+1)])
}

func moveOften(w *world, rng *rand.Rand) {
	for range 2 + rng.IntN(2) {
		moveData(w, rng)
		time.Sleep(exponential(rng, pick(rng, time.Millisecond, 20*time.Millisecond, 300*time.Millisecond)))
	}
}

// joinOne starts a node that has never run.
func joinOne(w *world, _ *rand.Rand) {
	for _, n := range w.nodes {
		if n.first() {
			n.start()
			w.stir()
			return
		}
	}
}

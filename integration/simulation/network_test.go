package simulation

import (
	"fmt"
	"math/rand/v2"
	"sync"
	"time"

	"ringkv/node/wire"
)

// A network carries messages between machines: each at most once, late, out of order, or never.
type network struct {
	w *world

	mu    sync.Mutex // guards the rest
	noisy bool       // all messages but those of Consul suffer what the plan says
	links map[[2]string]*link
	hosts map[string]*host // by address
	had   [3]int           // refused writes, by wire.Had
}

// A host is a process that serves at an address.
type host struct {
	by      *process
	handler wire.Handler
}

// A link is one direction between two machines, and how it treats messages.
type link struct {
	rng   *rand.Rand
	cut   bool          // messages are lost,
	known bool          // and senders notice at once
	lose  float64       // the share that is lost, 0 to 1
	slow  time.Duration // mean of what is added to the time that a message takes
}

func newNetwork(w *world) *network {
	return &network{w: w, links: map[[2]string]*link{}, hosts: map[string]*host{}}
}

// linkLocked returns the link from one machine to another.
func (n *network) linkLocked(from, to string) *link {
	l := n.links[[2]string{from, to}]
	if l == nil {
		l = &link{rng: n.w.random("link " + from + " " + to)}
		n.links[[2]string{from, to}] = l
	}
	return l
}

// set changes how the link treats messages from now on.
func (n *network) set(from, to string, change func(*link)) {
	n.mu.Lock()
	defer n.mu.Unlock()
	change(n.linkLocked(from, to))
}

// heal makes all links good ones.
func (n *network) heal() {
	n.mu.Lock()
	defer n.mu.Unlock()
	for _, l := range n.links {
		l.cut, l.known, l.lose, l.slow = false, false, 0, 0
	}
	n.noisy = false
}

// makeNoise lets messages suffer what the plan says.
func (n *network) makeNoise() {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.noisy = true
}

// travel says how long a message takes from one machine to another, and whether it arrives at all. cut: its sender knows
// that there is no connection.
func (n *network) travel(from, to string) (d time.Duration, arrives, cut bool) {
	n.mu.Lock()
	defer n.mu.Unlock()
	l := n.linkLocked(from, to)
	slow, lose := l.slow, l.lose
	if n.noisy && from != "consul" && to != "consul" {
		slow, lose = slow+n.w.plan.slow, max(lose, n.w.plan.lose)
		if l.rng.Float64() < n.w.plan.late {
			slow += time.Second
		}
	}
	d = 50*time.Microsecond + exponential(l.rng, 300*time.Microsecond+slow)
	return d, !l.cut && l.rng.Float64() >= lose, l.cut && l.known
}

// bulk says how much longer a page of a slot takes.
func (n *network) bulk(from, to string) time.Duration {
	n.mu.Lock()
	defer n.mu.Unlock()
	return exponential(n.linkLocked(from, to).rng, n.w.plan.bulk)
}

// connects reports whether a connection from one machine to another can be made: a message that is lost is sent again there.
func (n *network) connects(from, to string) bool {
	n.mu.Lock()
	defer n.mu.Unlock()
	for _, l := range []*link{n.linkLocked(from, to), n.linkLocked(to, from)} {
		if l.cut || l.lose > 0 && l.rng.Float64() < l.lose*l.lose {
			return false
		}
	}
	return true
}

func exponential(rng *rand.Rand, mean time.Duration) time.Duration {
	return time.Duration(rng.ExpFloat64() * float64(mean))
}

// serve lets a process answer at an address, in place of whoever did before.
func (n *network) serve(addr string, by *process, handler wire.Handler) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.hosts[addr] = &host{by, handler}
}

// at returns who answers at addr; nil for nobody.
func (n *network) at(addr string) *host {
	n.mu.Lock()
	defer n.mu.Unlock()
	if h := n.hosts[addr]; h != nil && h.by.alive() {
		return h
	}
	return nil
}

// peers carries the requests of one process. It is what wire.Pool is to a real one.
type peers struct {
	by   *process
	here wire.Handler // this node's own replica; nil for a gateway

	mu     sync.Mutex // guards silent
	silent map[string]bool
}

// Silent implements coordinator.Peers.
func (p *peers) Silent(node string) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.silent[node]
}

func (p *peers) hear(node string, silent bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.silent[node] = silent
}

// Send implements coordinator.Peers and replica.Peers.
func (p *peers) Send(node, addr string, req *wire.Request, deadline time.Time, to chan<- wire.Reply) {
	if p.here != nil && node == p.by.m.name {
		p.here.Handle(req, func(resp wire.Response) { to <- wire.Reply{Node: node, Response: resp} })
		return
	}
	c := &call{p: p, net: p.by.m.w.net, node: node, addr: addr, req: req, to: to}
	// A little before the deadline, as nothing else happens at that very moment then.
	left := time.Until(deadline)
	c.net.mu.Lock()
	left -= time.Duration(c.net.linkLocked(p.by.m.name, node).rng.Int64N(int64(50 * time.Microsecond)))
	c.net.mu.Unlock()
	c.mu.Lock() // the timer may go off before late is set
	c.late = time.AfterFunc(left, func() { c.settle(wire.Reply{Err: fmt.Errorf("timed out: %w", wire.ErrNoAnswer)}) })
	c.mu.Unlock()
	p.by.m.whenAwake(c.leave)
}

// A call is one request on its way, and its answer.
type call struct {
	p          *peers
	net        *network
	node, addr string
	req        *wire.Request
	to         chan<- wire.Reply
	once       sync.Once

	mu   sync.Mutex // guards late
	late *time.Timer
}

// settle gives the sender its one reply.
func (c *call) settle(r wire.Reply) {
	c.once.Do(func() {
		c.mu.Lock()
		c.late.Stop()
		c.mu.Unlock()
		c.p.hear(c.node, r.Err != nil)
		r.Node = c.node
		c.to <- r
	})
}

func (c *call) refused() {
	c.settle(wire.Reply{Err: fmt.Errorf("refused the connection: %w", wire.ErrNotSent)})
}

// leave puts the request on its way.
func (c *call) leave() {
	from := c.p.by
	if !from.alive() {
		c.refused()
		return
	}
	d, arrives, cut := c.net.travel(from.m.name, c.node)
	if c.req.Op == wire.OpFetch || c.req.Op == wire.OpPull && c.req.Key == "" {
		d += c.net.bulk(from.m.name, c.node)
	}
	switch {
	case cut:
		time.AfterFunc(d, c.refused)
	case !arrives:
		from.m.w.trace.message("lost on the way to", from.m.name, c.node, c.req, nil)
	default:
		time.AfterFunc(d, c.arrive)
	}
}

// arrive hands the request to whoever is there.
func (c *call) arrive() {
	h := c.net.at(c.addr)
	if h == nil || h.by.m.name != c.node {
		c.refused()
		return
	}
	h.by.m.whenAwake(func() {
		if !h.by.alive() {
			return
		}
		h.by.m.w.trace.message("asks", c.p.by.m.name, c.node, c.req, nil)
		h.by.m.w.overhear(c.p.by.m.name, c.req)
		h.handler.Handle(c.req, func(resp wire.Response) { h.by.m.whenAwake(func() { c.answer(h, resp) }) })
	})
}

func (n *network) countRefused(had wire.Had) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.had[had]++
}

// answer sends the answer back.
func (c *call) answer(h *host, resp wire.Response) {
	if !h.by.alive() {
		return
	}
	if c.req.Op == wire.OpWrite && resp.Status == wire.Superseded {
		c.net.countRefused(resp.Had)
	}
	d, arrives, _ := c.net.travel(c.node, c.p.by.m.name)
	h.by.m.w.trace.message("answers", c.node, c.p.by.m.name, c.req, &resp)
	if !arrives {
		h.by.m.w.trace.message("lost on the way to", c.node, c.p.by.m.name, c.req, &resp)
		return
	}
	time.AfterFunc(d, func() {
		c.p.by.m.whenAwake(func() { c.settle(wire.Reply{Response: resp}) })
	})
}

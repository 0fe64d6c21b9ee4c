package wire

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"math/rand/v2"
	"net"
	"sync"
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

// PoolOptions say who asks, and bound what may wait. A zero bound means its default.
type PoolOptions struct {
	Replicas int    // copies of each key; a node with another number refuses
	Cluster  string // the nodes' service name in Consul; a node of another refuses
	MaxValue int    // bytes of the largest value; default 1 MiB

	Dial        func(ctx context.Context, addr string) (net.Conn, error) // default: TCP
	DialTimeout time.Duration                                            // until the handshake is done; default 300 ms
	MaxPending  int                                                      // requests to one node that have no answer; default 8,192
	MaxQueued   int                                                      // bytes of requests to one node that wait to be written; default 64 MiB, at least 4 values
	Window      int                                                      // bytes of requests that a node may hold unanswered, further ones wait here; default 6 MiB. One of any size is sent alone
	IdleAfter   time.Duration                                            // a node not asked for so long is forgotten; default 5 min
	Rand        func() float64                                           // in [0,1), spreads reconnects; default math/rand
	Logger      *slog.Logger                                             // default: none
	Registerer  prometheus.Registerer                                    // at most one Pool each; default: none
}

func (o PoolOptions) withDefaults() PoolOptions {
	setDefault(&o.MaxValue, 1<<20)
	setDefault(&o.DialTimeout, 300*time.Millisecond)
	setDefault(&o.MaxPending, 8192)
	setDefault(&o.MaxQueued, 64<<20)
	setDefault(&o.Window, 6<<20)
	setDefault(&o.IdleAfter, 5*time.Minute)
	o.MaxQueued = max(o.MaxQueued, 4*(o.MaxValue+overhead))
	if o.Dial == nil {
		o.Dial = dialTCP
	}
	if o.Rand == nil {
		o.Rand = rand.Float64
	}
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	return o
}

// dialTCP connects with no proxy and Nagle's algorithm off, which is Go's default.
func dialTCP(ctx context.Context, addr string) (net.Conn, error) {
	conn, err := new(net.Dialer).DialContext(ctx, "tcp", addr)
	if err != nil {
		return nil, err
	}
	if err := keepAlive(conn); err != nil {
		conn.Close()
		return nil, err
	}
	return conn, nil
}

var errPoolClosed = errors.New("this program is shutting down")

// A Pool keeps one connection to each node that is asked, shared by all requests to it. It is safe for concurrent use.
type Pool struct {
	opts    PoolOptions
	metrics *poolMetrics
	ctx     context.Context
	cancel  context.CancelCauseFunc
	parts   sync.WaitGroup // its goroutines

	peers atomic.Pointer[map[string]*peer] // by node id; replaced, never changed

	idle atomic.Bool   // the sweep sleeps
	wake chan struct{} // and is woken by this

	mu sync.Mutex // guards changes of peers, and closing against new ones
}

// NewPool returns a Pool that knows no node. It must be closed.
func NewPool(opts PoolOptions) *Pool {
	opts = opts.withDefaults()
	p := &Pool{opts: opts, metrics: newPoolMetrics(opts.Registerer), wake: make(chan struct{}, 1)}
	p.ctx, p.cancel = context.WithCancelCause(context.Background())
	p.peers.Store(&map[string]*peer{})
	p.parts.Go(p.sweep)
	return p
}

// Send asks node, which listens at addr, and delivers exactly one Reply to to, within about 10 ms of the deadline at the
// latest. It never blocks, and neither does the delivery: to must have room. The first Send to a node waits for the
// connection to be made. While a node can't be reached, Sends fail at once and it is tried in the background, every 20 ms
// at first and every second at last.
//
// A node has one address: a Send with another one than before ends the old connection and makes a new one.
// req must not be changed afterwards, not even once the Reply is there.
func (p *Pool) Send(node, addr string, req *Request, deadline time.Time, to chan<- Reply) {
	if err := req.check(p.opts.MaxValue); err != nil {
		p.metrics.notSent.Inc()
		deliver(to, Reply{Node: node, Err: fmt.Errorf("%w: %w", ErrNotSent, err)})
		return
	}
	n, err := p.peer(node, addr)
	if err == nil {
		err = n.send(req, deadline, to)
	}
	if err != nil {
		p.metrics.notSent.Inc()
		deliver(to, Reply{Node: node, Err: err})
		return
	}
	if p.idle.Load() {
		p.wakeSweep()
	}
}

// deliver never blocks: a channel without room breaks the rules of Send, and its Reply is lost.
func deliver(to chan<- Reply, reply Reply) {
	select {
	case to <- reply:
	default:
	}
}

// Silent reports whether others should be asked rather than node: it has left a request unanswered for 50 ms within the
// last second, or can't be reached. Of a node that was never asked it knows nothing, and says false.
func (p *Pool) Silent(node string) bool {
	n := (*p.peers.Load())[node]
	return n != nil && n.silent.Load()
}

// Forget closes the connection to node, if there is one. A later Send makes a new one.
func (p *Pool) Forget(node string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if n := (*p.peers.Load())[node]; n != nil {
		p.replaceLocked(node, nil)
		n.stop()
	}
}

// Close ends all connections, gives every waiting request its Reply and returns when all goroutines have ended.
func (p *Pool) Close() {
	p.mu.Lock()
	p.cancel(errPoolClosed)
	p.mu.Unlock()
	p.parts.Wait()
}

// peer returns what is known of node, which may be new or have moved to addr.
func (p *Pool) peer(node, addr string) (*peer, error) {
	if n := (*p.peers.Load())[node]; n != nil && n.addr == addr {
		return n, nil
	}
	if len(node) > MaxNodeID {
		return nil, fmt.Errorf("%w: %w", ErrNotSent, errNodeIDTooLong)
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.ctx.Err() != nil {
		return nil, fmt.Errorf("%w: %w", ErrNotSent, errPoolClosed)
	}
	old := (*p.peers.Load())[node]
	if old != nil && old.addr == addr {
		return old, nil
	}
	n := newPeer(p, node, addr)
	p.replaceLocked(node, n)
	if old != nil {
		old.stop()
	}
	p.parts.Go(n.run)
	return n, nil
}

// replaceLocked sets or, with nil, removes what is known of node.
func (p *Pool) replaceLocked(node string, n *peer) {
	peers := maps.Clone(*p.peers.Load())
	if delete(peers, node); n != nil {
		peers[node] = n
	}
	p.peers.Store(&peers)
}

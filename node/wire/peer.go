package wire

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"sync"
	"sync/atomic"
	"time"
)

const (
	firstRetry  = 20 * time.Millisecond
	lastRetry   = time.Second
	provenAfter = time.Second // a connection that lasted so long makes the next retry a first one
)

var (
	errTooMany   = errors.New("too many requests to this node wait already")
	errForgotten = errors.New("the node has left or moved to another address")
	errLeaving   = errors.New("the node is shutting down")
	errHungUp    = errors.New("the node closed the connection")
	errDeadline  = errors.New("the deadline passed")
)

// A peer is one node as this program sees it: the calls to it and the connection that they share. It has one goroutine
// that connects again and again (run), and while connected one that reads and one that writes.
type peer struct {
	pool       *Pool
	node, addr string
	ctx        context.Context
	cancel     context.CancelCauseFunc
	wake       chan struct{} // the writer has something to do
	silent     atomic.Bool   // changed under mu
	signs      atomic.Uint64 // of life: reads that brought bytes
	used       atomic.Bool   // since the sweep last looked for idle ones

	mu       sync.Mutex // guards the rest
	calls    table
	queue    []uint64 // ids of calls to be written, in order; some may be dead
	bytes    int      // of those
	sent     int      // bytes of calls that have left and aren't answered
	maxValue int      // what the node accepts; known once connected
	why      error    // why nothing is taken now; nil while it is
	watch    watch
	end      context.CancelCauseFunc // ends the present connection; nil when there is none
	leaving  bool                    // the node shuts down: the connection ends with its last call
}

func newPeer(p *Pool, node, addr string) *peer {
	n := &peer{pool: p, node: node, addr: addr, wake: make(chan struct{}, 1), maxValue: p.opts.MaxValue}
	n.ctx, n.cancel = context.WithCancelCause(p.ctx)
	n.used.Store(true)
	return n
}

// stop ends the peer for good.
func (n *peer) stop() { n.cancel(errForgotten) }

// send puts a call in line, or returns why it can't.
func (n *peer) send(req *Request, deadline time.Time, to chan<- Reply) error {
	if !n.used.Load() {
		n.used.Store(true)
	}
	size := req.size()
	n.mu.Lock()
	if err := n.takesLocked(req, size); err != nil {
		n.mu.Unlock()
		return fmt.Errorf("%w: %w", ErrNotSent, err)
	}
	n.queue = append(n.queue, n.calls.add(req, deadline, to))
	n.bytes += size
	first := len(n.queue) == 1
	n.mu.Unlock()
	if first {
		n.wakeWriter()
	}
	return nil
}

func (n *peer) takesLocked(req *Request, size int) error {
	switch {
	case n.why != nil:
		return n.why
	case n.calls.len() >= n.pool.opts.MaxPending || n.bytes+size > n.pool.opts.MaxQueued:
		return errTooMany
	case len(req.Record.Value) > n.maxValue:
		return fmt.Errorf("%w: %d bytes, node %s accepts %d", errValueTooLarge, len(req.Record.Value), n.node, n.maxValue)
	}
	return nil
}

func (n *peer) wakeWriter() {
	select {
	case n.wake <- struct{}{}:
	default:
	}
}

// run keeps a connection until the peer is stopped or the pool closed.
func (n *peer) run() {
	log := n.pool.opts.Logger.With("node", n.node, "addr", n.addr)
	wait, said := firstRetry, ""
	for n.ctx.Err() == nil {
		conn, r, err := n.connect()
		if err == nil {
			log.Info("connected to node")
			began := time.Now()
			err = n.serve(conn, r)
			said = ""
			if time.Since(began) >= provenAfter {
				wait = firstRetry
			}
		}
		if n.ctx.Err() != nil {
			break
		}
		n.down(err)
		if text := err.Error(); text != said {
			log.Warn("no connection to node", "error", err)
			said = text
		}
		n.pause(wait)
		wait = min(2*wait, lastRetry)
	}
	n.down(fmt.Errorf("connection to node %s ended: %w", n.node, context.Cause(n.ctx)))
}

// pause waits between half of wait and all of it.
func (n *peer) pause(wait time.Duration) {
	timer := time.NewTimer(time.Duration((0.5 + n.pool.opts.Rand()/2) * float64(wait)))
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-n.ctx.Done():
	}
}

// connect dials and shakes hands.
func (n *peer) connect() (net.Conn, *bufio.Reader, error) {
	ctx, cancel := context.WithTimeout(n.ctx, n.pool.opts.DialTimeout)
	defer cancel()
	conn, err := n.pool.opts.Dial(ctx, n.addr)
	if err != nil {
		n.pool.metrics.dials.WithLabelValues("unreachable").Inc()
		return nil, nil, fmt.Errorf("connect to node %s: %w", n.node, err)
	}
	h := hello{node: n.node, replicas: n.pool.opts.Replicas, cluster: n.pool.opts.Cluster, maxValue: n.pool.opts.MaxValue}
	maxValue, r, err := h.shake(ctx, conn, livingReader{conn, &n.signs}, n.addr)
	if err != nil {
		conn.Close()
		outcome := "failed"
		if errors.Is(err, errRefused) {
			outcome = "refused"
		}
		n.pool.metrics.dials.WithLabelValues(outcome).Inc()
		return nil, nil, fmt.Errorf("connect to node %s at %s: %w", n.node, n.addr, err)
	}
	n.pool.metrics.dials.WithLabelValues("ok").Inc()
	n.mu.Lock()
	n.maxValue = maxValue
	n.mu.Unlock()
	return conn, r, nil
}

// livingReader counts the reads that bring bytes.
type livingReader struct {
	io.Reader
	signs *atomic.Uint64
}

func (r livingReader) Read(b []byte) (int, error) {
	n, err := r.Reader.Read(b)
	if n > 0 {
		r.signs.Add(1)
	}
	return n, err
}

// down refuses Sends from now on, for the reason given, and settles those that wait.
func (n *peer) down(why error) {
	n.mu.Lock()
	n.silent.Store(true)
	n.why, n.end = why, nil
	n.queue, n.bytes, n.sent = nil, 0, 0
	var lost []call
	n.calls.each(func(id uint64, _ *call) {
		was, _ := n.calls.remove(id)
		lost = append(lost, was)
	})
	n.mu.Unlock()
	for i := range lost {
		n.settle(&lost[i], why)
	}
}

// settle gives a call its Reply when no answer will come.
func (n *peer) settle(c *call, why error) {
	kind := ErrNoAnswer
	if c.progress == queued {
		kind = ErrNotSent
		n.pool.metrics.notSent.Inc()
	} else {
		n.pool.metrics.noAnswer.Inc()
	}
	deliver(c.to, Reply{Node: n.node, Err: fmt.Errorf("%w: %w", kind, why)})
}

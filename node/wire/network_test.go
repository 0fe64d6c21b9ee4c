package wire

import (
	"context"
	"errors"
	"net"
	"sync"
	"testing"
	"time"
)

var (
	errConnRefused = errors.New("connection refused")
	errCut         = errors.New("connection reset")
)

// network is a network in memory, in which cables can be cut, and writes wait until they are read.
type network struct {
	mu     sync.Mutex // guards all
	nodes  map[string]*socket
	cables []*cable
	lost   bool // what is sent from now on vanishes, as where a firewall drops it
	intake int  // bytes that the next cables pass to the asker; then they are cut. -1: no end
	dials  int
}

func newNetwork() *network { return &network{nodes: map[string]*socket{}, intake: -1} }

// socket is a net.Listener.
type socket struct {
	network *network
	addr    string
	conns   chan net.Conn
	closed  chan struct{}
	once    sync.Once
}

func (w *network) listen(addr string) *socket {
	w.mu.Lock()
	defer w.mu.Unlock()
	s := &socket{network: w, addr: addr, conns: make(chan net.Conn), closed: make(chan struct{})}
	w.nodes[addr] = s
	return s
}

func (s *socket) Accept() (net.Conn, error) {
	select {
	case c := <-s.conns:
		return c, nil
	case <-s.closed:
		return nil, net.ErrClosed
	}
}

func (s *socket) Close() error {
	s.once.Do(func() {
		s.network.mu.Lock()
		defer s.network.mu.Unlock()
		if s.network.nodes[s.addr] == s {
			delete(s.network.nodes, s.addr)
		}
		close(s.closed)
	})
	return nil
}

func (s *socket) Addr() net.Addr  { return s }
func (s *socket) Network() string { return "memory" }
func (s *socket) String() string  { return s.addr }

func (w *network) dial(ctx context.Context, addr string) (net.Conn, error) {
	w.mu.Lock()
	w.dials++
	s, lost := w.nodes[addr], w.lost
	w.mu.Unlock()
	if lost {
		<-ctx.Done()
		return nil, ctx.Err()
	}
	if s == nil {
		return nil, errConnRefused
	}
	near, far := net.Pipe()
	w.mu.Lock()
	c := &cable{Conn: near, network: w, budget: -1, intake: w.intake}
	w.cables = append(w.cables, c)
	w.mu.Unlock()
	select {
	case s.conns <- far:
		return c, nil
	case <-s.closed:
		return nil, errConnRefused
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

func (w *network) cutNextAfterReceiving(bytes int) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.intake = bytes
}

func (w *network) setLost(lost bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.lost = lost
}

// last returns the newest cable.
func (w *network) last() *cable {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.cables[len(w.cables)-1]
}

func (w *network) dialled() int {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.dials
}

// cable is the asker's end of a connection.
type cable struct {
	net.Conn
	network *network
	intake  int        // bytes that can still be received; only the reader looks at it
	mu      sync.Mutex // guards budget
	budget  int        // bytes that can still be sent; then the cable is cut. -1: no end
}

func (c *cable) cutAfterSending(bytes int) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.budget = bytes
}

func (c *cable) Write(b []byte) (int, error) {
	c.network.mu.Lock()
	lost := c.network.lost
	c.network.mu.Unlock()
	if lost {
		return len(b), nil
	}
	c.mu.Lock()
	budget := c.budget
	if budget >= 0 {
		c.budget = max(0, budget-len(b))
	}
	c.mu.Unlock()
	if budget < 0 || len(b) <= budget {
		return c.Conn.Write(b)
	}
	n, err := c.Conn.Write(b[:budget])
	if err == nil {
		err = errCut
	}
	c.Conn.Close()
	return n, err
}

func (c *cable) Read(b []byte) (int, error) {
	if c.intake < 0 {
		return c.Conn.Read(b)
	}
	if c.intake == 0 {
		c.Conn.Close()
		return 0, errCut
	}
	n, err := c.Conn.Read(b[:min(len(b), c.intake)])
	c.intake -= n
	return n, err
}

// startNode starts a node on the network, to be used within a synctest bubble.
func (w *network) startNode(t testing.TB, id, addr string, opts ServerOptions, h Handler) *node {
	t.Helper()
	opts.Node = id
	return serveOn(t, w.listen(addr), opts, h)
}

func (w *network) startPool(t testing.TB, opts PoolOptions) *Pool {
	t.Helper()
	opts.Dial = w.dial
	if opts.DialTimeout == 0 {
		opts.DialTimeout = 300 * time.Millisecond
	}
	return startPool(t, opts)
}

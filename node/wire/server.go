package wire

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"sync"
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

// ServerOptions say who the node is and how much it takes at once. A zero bound means its default.
type ServerOptions struct {
	Node     string // this node's id; a handshake for another one is refused
	Replicas int    // copies of each key; must be the asker's
	Cluster  string // the nodes' service name in Consul; must be the asker's
	MaxValue int    // bytes of the largest value; default 1 MiB

	MaxConns       int           // connections; default 512. Each costs 32 KiB, and up to 500 KiB more after large answers
	MaxInFlight    int           // requests of one connection that wait for their answer; default 4,096
	MaxBytes       int           // of one connection's requests and answers held in memory; default 16 MiB, at least 4 values. With half of that in answers the connection isn't read
	MaxTotalFlight int           // requests of all connections; default 16,384
	MaxTotalBytes  int           // of all connections; default 32 MiB, at least MaxBytes
	WriteTimeout   time.Duration // a peer that takes no byte for so long is cut off; default 5 s
	Logger         *slog.Logger  // default: none
	Registerer     prometheus.Registerer
}

func (o ServerOptions) withDefaults() ServerOptions {
	setDefault(&o.MaxValue, 1<<20)
	setDefault(&o.MaxConns, 512)
	setDefault(&o.MaxInFlight, 4096)
	setDefault(&o.MaxBytes, 16<<20)
	setDefault(&o.MaxTotalFlight, 16384)
	setDefault(&o.MaxTotalBytes, 32<<20)
	setDefault(&o.WriteTimeout, 5*time.Second)
	o.MaxBytes = max(o.MaxBytes, 4*(o.MaxValue+overhead))
	o.MaxTotalBytes = max(o.MaxTotalBytes, o.MaxBytes)
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	return o
}

func setDefault[T comparable](field *T, value T) {
	var zero T
	if *field == zero {
		*field = value
	}
}

// ErrServerClosed is why a Server that is closed or closing ends a connection.
var ErrServerClosed = errors.New("the node is shutting down")

// A Server is the node's end: an http.Handler for GET /wire, which takes connections over from net/http and serves the
// requests on them. It is safe for concurrent use. Above a bound a request is answered with Overloaded at once. Only
// where the peer leaves even such answers unread does the Server stop reading, and at last cut the peer off.
type Server struct {
	opts    ServerOptions
	handler Handler
	metrics *serverMetrics

	flight atomic.Int64 // requests taken and not answered, all connections
	bytes  atomic.Int64 // held for them

	conns    sync.WaitGroup // one for each connection admitted
	mu       sync.Mutex     // guards the rest
	admitted int
	open     map[*serverConn]struct{} // those of them that are past the handshake
	state    serverState
}

type serverState int

const (
	serving serverState = iota
	leaving
	closed
)

// NewServer returns a Server that hands requests to handler. It must be closed by Shutdown or Close.
func NewServer(opts ServerOptions, handler Handler) *Server {
	opts = opts.withDefaults()
	return &Server{opts: opts, handler: handler, metrics: newServerMetrics(opts.Registerer), open: map[*serverConn]struct{}{}}
}

// ServeHTTP judges the handshake, and answers it by a 101 or a refusal. The connection is served on after it returns.
func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	peerMax, no := s.opts.judge(r)
	if no == nil {
		no = s.admit()
	}
	if no != nil {
		s.metrics.refused.Inc()
		s.refuse(w, no)
		return
	}
	conn, buffered, err := http.NewResponseController(w).Hijack()
	if err != nil {
		s.release()
		s.opts.Logger.Error("cannot take a connection over from the HTTP server", "error", err)
		s.refuse(w, &refusal{http.StatusInternalServerError, "this node's HTTP server can't hand the connection over"})
		return
	}
	c := newServerConn(s, conn, rest(conn, buffered.Reader), peerMax)
	s.register(c)
	go s.serve(c) // Shutdown and Close wait for it: see admit
}

func (s *Server) refuse(w http.ResponseWriter, no *refusal) {
	if err := no.send(w); err != nil {
		s.opts.Logger.Debug("asker left before it was refused", "refusal", no.text, "error", err)
	}
}

// admit counts one more connection, if there is room for it.
func (s *Server) admit() *refusal {
	s.mu.Lock()
	defer s.mu.Unlock()
	switch {
	case s.state != serving:
		return &refusal{http.StatusServiceUnavailable, "node " + s.opts.Node + " is shutting down"}
	case s.admitted >= s.opts.MaxConns:
		return &refusal{http.StatusServiceUnavailable, fmt.Sprintf("node %s has %d connections already", s.opts.Node, s.admitted)}
	}
	s.admitted++
	s.conns.Add(1)
	s.metrics.conns.Inc()
	return nil
}

// release is the end of what admit began.
func (s *Server) release() {
	s.mu.Lock()
	s.admitted--
	s.mu.Unlock()
	s.metrics.conns.Dec()
	s.conns.Done()
}

// register makes c known to Shutdown and Close, which may have begun meanwhile.
func (s *Server) register(c *serverConn) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.open[c] = struct{}{}
	switch s.state {
	case leaving:
		c.leave()
	case closed:
		c.end(ErrServerClosed)
	}
}

func (s *Server) serve(c *serverConn) {
	defer s.release()
	err := c.accept()
	if err == nil {
		err = c.serve()
	}
	c.conn.Close()
	s.opts.Logger.Debug("connection ended", "from", c.conn.RemoteAddr().String(), "reason", err)
	s.mu.Lock()
	delete(s.open, c)
	s.mu.Unlock()
}

// rest is what comes over conn, that included which net/http has read already.
func rest(conn net.Conn, buffered *bufio.Reader) io.Reader {
	n := buffered.Buffered()
	if n == 0 {
		return conn
	}
	return io.MultiReader(io.LimitReader(buffered, int64(n)), conn)
}

// Shutdown tells every asker that the node leaves, goes on answering until they have closed their connections, and
// returns when the last one has ended. When ctx ends first it cuts them off and returns ctx's error.
func (s *Server) Shutdown(ctx context.Context) error {
	s.mu.Lock()
	s.state = max(s.state, leaving)
	for c := range s.open {
		c.leave()
	}
	s.mu.Unlock()
	done := make(chan struct{})
	go func() {
		s.conns.Wait()
		close(done)
	}()
	select {
	case <-done:
		return nil
	case <-ctx.Done():
		s.cut()
		<-done
		return fmt.Errorf("some connections were cut off before all answers were out: %w", ctx.Err())
	}
}

// Close cuts all connections off and waits until their goroutines have ended. Handlers that still owe an answer may
// give it later: it is thrown away.
func (s *Server) Close() {
	s.cut()
	s.conns.Wait()
}

func (s *Server) cut() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.state = closed
	for c := range s.open {
		c.end(ErrServerClosed)
	}
}

// keepAlive lets the kernel find peers that vanished without a word, within half a minute.
func keepAlive(conn net.Conn) error {
	tcp, ok := conn.(*net.TCPConn)
	if !ok {
		return nil
	}
	return tcp.SetKeepAliveConfig(net.KeepAliveConfig{Enable: true, Idle: 15 * time.Second, Interval: 5 * time.Second, Count: 3})
}

package api

import (
	"errors"
	"net"
	"sync"
	"syscall"
)

// A listener lets in no more than max connections at once. Where it is full, a newcomer takes the place of the
// connection that has been without a request for longest: clients expect that of idle connections, and nobody can lock
// others out by holding many. While all have requests under way, newcomers wait.
type listener struct {
	net.Listener
	max    int
	room   chan struct{} // holds one wake-up at most: a connection is gone, or idle
	closed chan struct{}
	once   sync.Once

	mu   sync.Mutex // guards open
	open map[*conn]struct{}
}

// NewListener returns l with at most maxConns connections at once, to be served by a server of NewServer.
func NewListener(l net.Listener, maxConns int) net.Listener {
	return &listener{
		Listener: l, max: maxConns,
		room: make(chan struct{}, 1), closed: make(chan struct{}),
		open: map[*conn]struct{}{},
	}
}

func (l *listener) Accept() (net.Conn, error) {
	inner, err := l.Listener.Accept()
	if err != nil {
		if errors.Is(err, syscall.EMFILE) || errors.Is(err, syscall.ENFILE) {
			l.evict() // the server tries again in a moment
		}
		return nil, err
	}
	c := &conn{Conn: inner, of: l}
	for !l.admit(c) {
		if l.evict() {
			continue
		}
		select {
		case <-l.room:
		case <-l.closed:
			return nil, errors.Join(net.ErrClosed, inner.Close())
		}
	}
	return c, nil
}

// Close ends Accept. It leaves the connections alone.
func (l *listener) Close() error {
	l.once.Do(func() { close(l.closed) })
	return l.Listener.Close()
}

func (l *listener) admit(c *conn) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	if len(l.open) >= l.max {
		return false
	}
	l.open[c] = struct{}{}
	return true
}

// evict closes the connection that has been idle for longest, and reports whether there was one. That closing it fails
// says nothing that matters: it is given up either way.
func (l *listener) evict() bool {
	c := l.oldestIdle()
	if c == nil {
		return false
	}
	_ = c.Close()
	return true
}

func (l *listener) oldestIdle() *conn {
	l.mu.Lock()
	defer l.mu.Unlock()
	var oldest *conn
	var since int64
	for c := range l.open {
		if t := c.idleSince.Load(); t != 0 && (oldest == nil || t < since) {
			oldest, since = c, t
		}
	}
	return oldest
}

// gone makes room for another connection in place of c.
func (l *listener) gone(c *conn) {
	l.mu.Lock()
	delete(l.open, c)
	l.mu.Unlock()
	l.wake()
}

// wake lets Accept look again for room, if it waits.
func (l *listener) wake() {
	select {
	case l.room <- struct{}{}:
	default:
	}
}

package wire

import (
	"context"
	"encoding/binary"
	"fmt"
	"io"
	"net"
	"sync"
	"time"
)

// serverConn is one asker's connection: a goroutine that reads and hands requests on, one that writes the answers. Where those are
// there by the time all that came has been handed on, the reader writes them itself, which spares waking the other.
type serverConn struct {
	server  *Server
	conn    net.Conn
	bare    net.Conn // what lies under conn: see bareOf
	frames  *frameReader
	peerMax int // bytes of the largest value that the asker accepts
	ctx     context.Context
	end     context.CancelCauseFunc
	wake    chan struct{} // the writer has something to do
	drained chan struct{} // the writer has made room
	own     batch         // the reader's own frames to be written

	mu      sync.Mutex // guards the rest
	out     batch      // frames to be written
	taking  bool       // the reader hands requests on, and sees to the answers that are there afterwards
	writing int        // bytes that one of the two is writing
	flight  int        // requests taken and not answered
	bytes   int        // of those requests
	ended   bool       // nothing is written any more
}

func newServerConn(s *Server, conn net.Conn, r io.Reader, peerMax int) *serverConn {
	ctx, end := context.WithCancelCause(context.Background())
	return &serverConn{
		server: s, conn: conn, bare: bareOf(conn), peerMax: peerMax, ctx: ctx, end: end,
		frames: newFrameReader(r, frameLimit(s.opts.MaxValue)),
		wake:   make(chan struct{}, 1), drained: make(chan struct{}, 1),
	}
}

// bareOf returns what lies under a connection that was taken over from a server which has wrapped it: batches go out in one call through a
// *net.TCPConn only, and that alone can be told to look for a peer that vanished.
func bareOf(conn net.Conn) net.Conn {
	if wrapped, ok := conn.(interface{ Bare() net.Conn }); ok {
		return wrapped.Bare()
	}
	return conn
}

// accept ends the handshake.
func (c *serverConn) accept() error {
	if err := keepAlive(c.bare); err != nil {
		return err
	}
	if err := c.conn.SetDeadline(time.Now().Add(c.server.opts.WriteTimeout)); err != nil {
		return err
	}
	if _, err := io.WriteString(c.conn, c.server.opts.accept()); err != nil {
		return err
	}
	return c.conn.SetDeadline(time.Time{}) // net/http had set some, too
}

// serve returns why the connection ended, when all its goroutines have.
func (c *serverConn) serve() error {
	var parts sync.WaitGroup
	parts.Go(func() { c.end(c.write()) })
	parts.Go(func() { <-c.ctx.Done(); c.conn.Close() })
	c.end(c.read())
	parts.Wait()
	c.forget()
	return context.Cause(c.ctx)
}

// leave tells the asker to send nothing new here.
func (c *serverConn) leave() { c.signal(kindLeaving) }

func (c *serverConn) read() error {
	known := newIntern()
	for {
		if !c.frames.more() || c.unread() {
			if err := c.flush(); err != nil {
				return err
			}
			if err := c.waitForRoom(); err != nil {
				return err
			}
		}
		payload, owned, err := c.frames.next()
		if err != nil {
			return err
		}
		switch kind(payload[0]) {
		case kindRequest:
			if len(payload) < 1+idSize {
				return errMalformed
			}
			id := binary.LittleEndian.Uint64(payload[1:])
			c.take(id, payload[1+idSize:], owned, known)
		case kindPing:
			c.signal(kindPong)
		default:
			return fmt.Errorf("%w: %d", errFrameKind, payload[0])
		}
	}
}

// take decodes one request and hands it on, or answers at once why not.
func (c *serverConn) take(id uint64, body []byte, owned bool, known *intern) {
	size := len(body)
	if detail := c.claim(size); detail != "" {
		c.refuse(id, detail)
		return
	}
	req := new(Request)
	if err := decodeRequest(body, owned, c.server.opts.MaxValue, known, req); err != nil {
		c.answer(id, size, Response{Status: BadRequest, Detail: err.Error()})
		return
	}
	c.server.handler.Handle(req, func(resp Response) { c.answer(id, size, resp) })
}

// claim takes room for a request of size bytes, or says which bound is reached.
func (c *serverConn) claim(size int) string {
	s, o := c.server, &c.server.opts
	flight, bytes := s.flight.Add(1), s.bytes.Add(int64(size))
	c.mu.Lock()
	defer c.mu.Unlock()
	c.taking = true
	detail := ""
	switch {
	case c.flight >= o.MaxInFlight:
		detail = fmt.Sprintf("%d requests of this connection wait here already", c.flight)
	case c.bytes+c.out.size+c.writing+size > o.MaxBytes:
		detail = fmt.Sprintf("%d bytes of this connection wait here already", c.bytes+c.out.size+c.writing)
	case flight > int64(o.MaxTotalFlight):
		detail = fmt.Sprintf("%d requests wait here already", flight-1)
	case bytes > int64(o.MaxTotalBytes):
		detail = fmt.Sprintf("%d bytes wait here already", bytes-int64(size))
	default:
		c.flight++
		c.bytes += size
		return ""
	}
	s.flight.Add(-1)
	s.bytes.Add(int64(-size))
	return detail
}

package wire

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"sync"
	"time"
)

// serverConn is one asker's connection: a goroutine that reads and hands requests on, one that writes the answers.
type serverConn struct {
	server  *Server
	conn    net.Conn
	frames  *frameReader
	peerMax int // bytes of the largest value that the asker accepts
	ctx     context.Context
	end     context.CancelCauseFunc
	wake    chan struct{} // the writer has something to do
	drained chan struct{} // the writer has made room

	mu      sync.Mutex // guards the rest
	out     []byte     // frames to be written
	writing int        // bytes that the writer is at
	corked  bool       // the reader is within a batch, and wakes the writer at its end
	flight  int        // requests taken and not answered
	bytes   int        // of those requests
	ended   bool       // nothing is written any more
}

func newServerConn(s *Server, conn net.Conn, r io.Reader, peerMax int) *serverConn {
	ctx, end := context.WithCancelCause(context.Background())
	return &serverConn{
		server: s, conn: conn, peerMax: peerMax, ctx: ctx, end: end,
		frames: newFrameReader(r, s.opts.MaxValue+overhead),
		wake:   make(chan struct{}, 1), drained: make(chan struct{}, 1),
	}
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
func (c *serverConn) leave() {
	c.mu.Lock()
	c.out = appendSignal(c.out, kindLeaving)
	c.mu.Unlock()
	c.wakeWriter()
}

func (c *serverConn) read() error {
	known := newIntern()
	for {
		if !c.frames.more() {
			if err := c.uncork(); err != nil {
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
			c.mu.Lock()
			c.corked = true
			c.out = appendSignal(c.out, kindPong)
			c.mu.Unlock()
		default:
			return fmt.Errorf("%w: %d", errFrameKind, payload[0])
		}
	}
}

// take decodes one request and hands it on, or answers at once why not.
func (c *serverConn) take(id uint64, body []byte, owned bool, known *intern) {
	size := len(body)
	if detail := c.claim(size); detail != "" {
		c.server.metrics.overloaded.Inc()
		c.mu.Lock()
		c.enqueueLocked(id, &Response{Status: Overloaded, Detail: detail})
		c.mu.Unlock()
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
	c.corked = true
	detail := ""
	switch {
	case c.flight >= o.MaxInFlight:
		detail = fmt.Sprintf("%d requests of this connection wait here already", c.flight)
	case c.bytes+len(c.out)+c.writing+size > o.MaxBytes:
		detail = fmt.Sprintf("%d bytes of this connection wait here already", c.bytes+len(c.out)+c.writing)
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

// answer gives a request's room back and puts its response in line.
func (c *serverConn) answer(id uint64, size int, resp Response) {
	if n := len(resp.Record.Value); n > c.peerMax {
		resp = Response{Status: Failed, Detail: fmt.Sprintf("the value has %d bytes, more than the asker's -max-value of %d", n, c.peerMax)}
	}
	c.server.flight.Add(-1)
	c.server.bytes.Add(int64(-size))
	c.mu.Lock()
	c.flight--
	c.bytes -= size
	wake := c.enqueueLocked(id, &resp)
	c.mu.Unlock()
	if wake {
		c.wakeWriter()
	}
}

// enqueueLocked puts a response in line, and reports whether the writer has to be woken for it.
func (c *serverConn) enqueueLocked(id uint64, resp *Response) (wake bool) {
	if c.ended {
		return false
	}
	if n := len(resp.Record.Value); n > 0 && c.crowdedLocked(n) {
		c.server.metrics.overloaded.Inc()
		resp = &Response{Status: Overloaded, Detail: "answers wait here that the asker has yet to read"}
	}
	before := len(c.out)
	c.out = appendResponse(c.out, id, resp)
	c.server.bytes.Add(int64(len(c.out) - before))
	return before == 0 && !c.corked
}

// crowdedLocked reports whether n bytes more would be too many.
func (c *serverConn) crowdedLocked(n int) bool {
	return c.bytes+len(c.out)+c.writing+n > c.server.opts.MaxBytes ||
		c.server.bytes.Load()+int64(n) > int64(c.server.opts.MaxTotalBytes)
}

// forget throws away what is still in line when the connection has ended.
func (c *serverConn) forget() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.ended = true
	c.server.bytes.Add(int64(-len(c.out)))
	c.out = nil
}

// uncork ends a batch: what was answered meanwhile goes out. It waits while the asker leaves too much unread.
func (c *serverConn) uncork() error {
	for {
		c.mu.Lock()
		c.corked = false
		pending := len(c.out)
		full := pending+c.writing > c.server.opts.MaxBytes
		c.mu.Unlock()
		if pending > 0 {
			c.wakeWriter()
		}
		if !full {
			return nil
		}
		select {
		case <-c.drained:
		case <-c.ctx.Done():
			return context.Cause(c.ctx)
		}
	}
}

func (c *serverConn) wakeWriter() {
	select {
	case c.wake <- struct{}{}:
	default:
	}
}

// write sends all that is in line in one call, again and again.
func (c *serverConn) write() error {
	var spare []byte
	for {
		select {
		case <-c.wake:
		case <-c.ctx.Done():
			return context.Cause(c.ctx)
		}
		for {
			c.mu.Lock()
			batch := c.out
			c.out, c.writing = spare[:0], len(batch)
			c.mu.Unlock()
			if len(batch) == 0 {
				spare = batch
				break
			}
			if err := c.send(batch); err != nil {
				return err
			}
			spare = reusable(batch)
		}
	}
}

func (c *serverConn) send(batch []byte) error {
	defer c.server.bytes.Add(int64(-len(batch)))
	if err := c.conn.SetWriteDeadline(time.Now().Add(c.server.opts.WriteTimeout)); err != nil {
		return err
	}
	n, err := c.conn.Write(batch)
	c.server.metrics.wrote(n)
	c.mu.Lock()
	c.writing = 0
	c.mu.Unlock()
	select {
	case c.drained <- struct{}{}:
	default:
	}
	if errors.Is(err, net.ErrClosed) {
		return context.Cause(c.ctx)
	}
	return err
}

// reusable returns b's memory for the next batch, unless it has grown so large that it's better given back.
func reusable(b []byte) []byte {
	if cap(b) > 256<<10 {
		return nil
	}
	return b[:0]
}

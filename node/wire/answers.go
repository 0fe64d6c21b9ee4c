package wire

import (
	"context"
	"errors"
	"fmt"
	"os"
	"runtime"
	"time"
)

// answer gives a request's room back and puts its response in line.
func (c *serverConn) answer(id uint64, size int, resp Response) {
	if err := resp.check(c.peerMax); err != nil {
		resp = Response{Status: Failed, Detail: fmt.Sprintf("the answer can't be sent: %v", err)}
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

// refuse answers a request that no room was claimed for.
func (c *serverConn) refuse(id uint64, detail string) {
	c.server.metrics.overloaded.Inc()
	c.mu.Lock()
	wake := c.enqueueLocked(id, &Response{Status: Overloaded, Detail: detail})
	c.mu.Unlock()
	if wake {
		c.wakeWriter()
	}
}

func (c *serverConn) signal(k kind) {
	c.mu.Lock()
	if !c.ended {
		before := c.out.size
		c.out.signal(k)
		c.server.bytes.Add(int64(c.out.size - before))
	}
	c.mu.Unlock()
	c.wakeWriter()
}

// enqueueLocked puts a response in line, and reports whether the writer has to be woken for it.
func (c *serverConn) enqueueLocked(id uint64, resp *Response) (wake bool) {
	if c.ended {
		return false
	}
	if n := resp.valueBytes(); n > 0 && c.crowdedLocked(n) {
		c.server.metrics.overloaded.Inc()
		resp = &Response{Status: Overloaded, Detail: "answers wait here that the asker has yet to read"}
	}
	before := c.out.size
	c.out.response(id, resp)
	c.server.bytes.Add(int64(c.out.size - before))
	return before == 0 && !c.taking
}

// crowdedLocked reports whether n bytes more would be too many.
func (c *serverConn) crowdedLocked(n int) bool {
	return c.bytes+c.out.size+c.writing+n > c.server.opts.MaxBytes ||
		c.server.bytes.Load()+int64(n) > int64(c.server.opts.MaxTotalBytes)
}

// forget throws away what is still in line when the connection has ended.
func (c *serverConn) forget() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.ended = true
	c.server.bytes.Add(int64(-c.out.size))
	c.out = batch{}
}

// unread reports whether the asker has so many answers to read that it should get no more. They would have to wait behind those anyway.
func (c *serverConn) unread() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.out.size+c.writing > c.server.opts.MaxBytes/2
}

// waitForRoom waits while the asker leaves too much unread.
func (c *serverConn) waitForRoom() error {
	for c.unread() {
		select {
		case <-c.drained:
		case <-c.ctx.Done():
			return context.Cause(c.ctx)
		}
	}
	return nil
}

func (c *serverConn) wakeWriter() {
	select {
	case c.wake <- struct{}{}:
	default:
	}
}

// write sends all that is in line in one call, again and again.
func (c *serverConn) write() error {
	var out batch
	for {
		select {
		case <-c.wake:
		case <-c.ctx.Done():
			return context.Cause(c.ctx)
		}
		runtime.Gosched() // who is about to answer joins the batch
		for {
			out.reset()
			if c.swap(&out); out.size == 0 {
				break
			}
			if err := c.send(&out); err != nil {
				return err
			}
		}
	}
}

// swap exchanges what is in line for an empty batch, unless the reader is writing.
func (c *serverConn) swap(out *batch) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.writing == 0 {
		c.swapLocked(out)
	}
}

func (c *serverConn) swapLocked(out *batch) {
	*out, c.out = c.out, *out
	c.writing = out.size
}

// flush writes the answers that came while the reader handed requests on. It leaves them to the writer where they are more than the kernel
// surely takes at once: the reader must not wait for an asker that is slow to read.
func (c *serverConn) flush() error {
	for {
		c.own.reset()
		c.mu.Lock()
		if c.out.size == 0 || c.out.size > flushBytes || c.writing > 0 {
			c.taking = false
			left := c.out.size > 0
			c.mu.Unlock()
			if left {
				c.wakeWriter()
			}
			return nil
		}
		c.swapLocked(&c.own)
		c.mu.Unlock()
		if err := c.send(&c.own); err != nil {
			return err
		}
	}
}

// flushBytes is how much the reader writes by itself.
const flushBytes = 16 << 10

// send writes a batch, however long that takes, as long as the asker takes some of it every WriteTimeout.
func (c *serverConn) send(out *batch) error {
	defer c.server.bytes.Add(int64(-out.size))
	for !out.written() {
		if err := c.conn.SetWriteDeadline(time.Now().Add(c.server.opts.WriteTimeout)); err != nil {
			return err
		}
		n, err := out.writeTo(c.bare)
		c.server.metrics.wrote(n)
		if err != nil && (n == 0 || !errors.Is(err, os.ErrDeadlineExceeded)) {
			return err
		}
	}
	c.mu.Lock()
	c.writing = 0
	c.mu.Unlock()
	select {
	case c.drained <- struct{}{}:
	default:
	}
	return nil
}

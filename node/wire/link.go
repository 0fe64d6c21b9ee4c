package wire

import (
	"bufio"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"runtime"
	"sync"
)

// writeChunk is about how many bytes one write call takes when many wait.
const writeChunk = 128 << 10

// idPing stands in the writer's batch for a ping. No call has it: places are far fewer.
const idPing = 1<<64 - 1

// serve uses a connection until it ends, and returns why it did, when all its goroutines have ended.
func (n *peer) serve(conn net.Conn, r *bufio.Reader) error {
	ctx, end := context.WithCancelCause(n.ctx)
	n.up(end)
	n.pool.metrics.conns.Inc()
	defer n.pool.metrics.conns.Dec()
	var parts sync.WaitGroup
	parts.Go(func() { end(n.write(ctx, conn)) })
	parts.Go(func() { <-ctx.Done(); conn.Close() })
	end(n.read(&frameReader{buffered: r, max: frameLimit(n.pool.opts.MaxValue)}))
	parts.Wait()
	return fmt.Errorf("connection to node %s at %s ended: %w", n.node, n.addr, context.Cause(ctx))
}

// up takes Sends from now on.
func (n *peer) up(end context.CancelCauseFunc) {
	n.mu.Lock()
	n.why, n.end, n.leaving, n.watch = nil, end, false, watch{}
	n.silent.Store(false)
	n.mu.Unlock()
}

// read hands every response to the call that it answers.
func (n *peer) read(frames *frameReader) error {
	known := newIntern()
	for {
		payload, owned, err := frames.next()
		if errors.Is(err, io.EOF) {
			return errHungUp
		}
		if err != nil {
			return err
		}
		switch kind(payload[0]) {
		case kindResponse:
			if len(payload) < 1+idSize {
				return errMalformed
			}
			id := binary.LittleEndian.Uint64(payload[1:])
			if err := n.answered(id, payload[1+idSize:], owned, known); err != nil {
				return err
			}
		case kindPong:
			n.mu.Lock()
			n.watch.pinged = false
			n.mu.Unlock()
		case kindLeaving:
			if n.leave() {
				return errLeaving
			}
		default:
			return fmt.Errorf("%w: %d", errFrameKind, payload[0])
		}
	}
}

// answered gives a call its Reply. It returns an error if the connection is of no use any more.
func (n *peer) answered(id uint64, body []byte, owned bool, known *intern) error {
	n.mu.Lock()
	c, ok := n.removeLocked(id)
	more := len(n.queue) > 0
	n.mu.Unlock()
	if more { // they may have waited for this
		n.wakeWriter()
	}
	if ok {
		reply := Reply{Node: n.node}
		if err := decodeResponse(body, owned, n.pool.opts.MaxValue, known, &reply.Response); err != nil {
			n.settle(&c, err)
			return err
		}
		reply.Response.Record.Key = c.req.Key
		deliver(c.to, reply)
	}
	return nil
}

// leave stops taking Sends, because the node shuts down, and reports whether nothing is awaited from it. If something is,
// the sweep ends the connection behind the last call.
func (n *peer) leave() bool {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.silent.Store(true)
	n.why, n.leaving = fmt.Errorf("node %s: %w", n.node, errLeaving), true
	return n.calls.len() == 0
}

// outgoing is one frame of the writer's batch.
type outgoing struct {
	id    uint64
	req   *Request
	start int // where in the batch it begins
}

// write sends what waits, many frames in one call.
func (n *peer) write(ctx context.Context, conn net.Conn) error {
	var frames []outgoing
	var out batch
	for {
		select {
		case <-n.wake:
		case <-ctx.Done():
			return context.Cause(ctx)
		}
		runtime.Gosched() // who is about to send joins the batch
		for {
			if frames = n.takeFrames(frames[:0]); len(frames) == 0 {
				break
			}
			out.reset()
			for i := range frames {
				frames[i].addTo(&out)
			}
			wrote, err := out.writeTo(conn)
			n.pool.metrics.wrote(wrote)
			if err != nil {
				n.putBack(frames, wrote)
				return err
			}
		}
	}
}

func (o *outgoing) addTo(out *batch) {
	o.start = out.size
	if o.id == idPing {
		out.signal(kindPing)
		return
	}
	out.request(o.id, o.req)
}

// removeLocked removes a call of which nothing is awaited any more.
func (n *peer) removeLocked(id uint64) (call, bool) {
	c, ok := n.calls.remove(id)
	switch {
	case !ok:
	case c.progress == left:
		n.sent -= c.req.size()
	case c.progress == queued:
		n.bytes -= c.req.size()
	}
	return c, ok
}

// takeFrames moves calls from the queue to frames, as many as the node may hold. From now on their bytes may have left.
func (n *peer) takeFrames(frames []outgoing) []outgoing {
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.watch.due {
		n.watch.due = false
		frames = append(frames, outgoing{id: idPing})
	}
	taken, bytes := 0, 0
	for _, id := range n.queue {
		if c := n.calls.get(id); c != nil {
			size := c.req.size()
			if bytes >= writeChunk || n.sent > 0 && n.sent+size > n.pool.opts.Window {
				break
			}
			c.progress = left
			bytes += size
			n.sent += size
			frames = append(frames, outgoing{id: id, req: c.req})
		}
		taken++
	}
	n.bytes -= bytes
	if taken == len(n.queue) {
		n.queue = n.queue[:0]
	} else {
		n.queue = n.queue[taken:]
	}
	return frames
}

// putBack marks those calls of a failed batch as not left whose first byte lay behind what the kernel took.
func (n *peer) putBack(frames []outgoing, wrote int64) {
	n.mu.Lock()
	defer n.mu.Unlock()
	for _, o := range frames {
		if c := n.calls.get(o.id); c != nil && int64(o.start) >= wrote {
			c.progress = queued
			n.sent, n.bytes = n.sent-c.req.size(), n.bytes+c.req.size()
		}
	}
}

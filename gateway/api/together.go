package api

import (
	"context"
	"net"
	"net/http"
	"slices"

	"github.com/gin-gonic/gin"
)

// net/http gathers the head of an answer and the beginning of its body, 4 KiB of them, writes that, and then the rest of the body by a call of its
// own. On one connection a call costs more than 10 KiB do, so an answer of some size has the first part held back until the rest comes.
const (
	gathered     = 4 << 10      // bytes that net/http gathers
	togetherFrom = 2 * gathered // bytes of a body, of which the rest is then written by the same Write as the first part
)

// writeBody writes a body, or what is there of it so far, together with the head where nothing of it has been written yet.
func writeBody(c *gin.Context, body []byte) error {
	conn := connOf(c.Request)
	if conn == nil || len(body) < togetherFrom {
		_, err := c.Writer.Write(body)
		return err
	}
	buf := takeBuffer()
	*buf = slices.Grow((*buf)[:0], gathered)
	conn.held, conn.holds = *buf, true
	_, err := c.Writer.Write(body)
	if left := conn.release(); err == nil {
		err = left
	}
	giveBuffer(buf)
	return err
}

type connKey struct{}

// withConn lets the handlers of a connection of NewListener find it.
func withConn(ctx context.Context, c net.Conn) context.Context {
	return context.WithValue(ctx, connKey{}, c)
}

// connOf returns the connection that a request came over, nil where that is none of NewListener.
func connOf(r *http.Request) *conn {
	c, _ := r.Context().Value(connKey{}).(*conn)
	return c
}

// writeHeld holds b back where it is the first that comes and small, else writes it with what was held back.
func (c *conn) writeHeld(b []byte) (int, error) {
	if len(c.held) == 0 && len(b) <= gathered {
		c.held = append(c.held, b...)
		return len(b), nil
	}
	held := int64(len(c.held))
	both := net.Buffers{c.held, b}
	c.held, c.holds = nil, false
	n, err := both.WriteTo(c.Conn)
	return int(max(n-held, 0)), err
}

// release writes what is held back still.
func (c *conn) release() error {
	held := c.held
	c.held, c.holds = nil, false
	if len(held) == 0 {
		return nil
	}
	_, err := c.Conn.Write(held)
	return err
}

package api

import (
	"bytes"
	"net"
	"strconv"

	"golang.org/x/net/netutil"
)

// NewListener returns l with at most maxConns connections at once; those beyond wait in the kernel's queue. What
// net/http answers on them by itself, before any handler, becomes an error like all others.
func NewListener(l net.Listener, maxConns int) net.Listener {
	return &listener{netutil.LimitListener(l, maxConns)}
}

type listener struct{ net.Listener }

func (l *listener) Accept() (net.Conn, error) {
	c, err := l.Listener.Accept()
	if err != nil {
		return nil, err
	}
	return &conn{Conn: c}, nil
}

// A conn is a connection on which net/http's own errors are translated. Requests that can't be parsed never reach a
// handler: net/http writes a few fixed lines of plain text and closes.
type conn struct{ net.Conn }

var (
	statusLine = []byte("HTTP/1.1 ")
	// How each of these answers goes on behind its status line, and how no answer of a handler does: those have a Date.
	plainError = []byte("\r\nContent-Type: text/plain; charset=utf-8\r\nConnection: close\r\n\r\n")
	// The one that does have a Date, and no body. No handler answers so.
	expectationFailed = []byte("HTTP/1.1 417 ")
)

func (c *conn) Write(b []byte) (int, error) {
	if !bytes.HasPrefix(b, statusLine) || !isPlainError(b) {
		return c.Conn.Write(b)
	}
	if _, err := c.Conn.Write(parseError(b)); err != nil {
		return 0, err
	}
	return len(b), nil
}

// NetConn returns the connection underneath, as that of crypto/tls does.
func (c *conn) NetConn() net.Conn { return c.Conn }

func isPlainError(b []byte) bool {
	line := bytes.IndexByte(b, '\r')
	return line > 0 && (bytes.HasPrefix(b[line:], plainError) || bytes.HasPrefix(b, expectationFailed))
}

// parseError returns the answer that takes the place of one of net/http's.
func parseError(plain []byte) []byte {
	p := Problem{Outcome: BadRequest, Detail: "this is not valid HTTP/1.1"}
	switch status, _ := strconv.Atoi(string(plain[len(statusLine):][:3])); status {
	case HeadersTooLarge.Status():
		p = Problem{Outcome: HeadersTooLarge, Detail: "path and headers have at most 16 KiB together"}
	case ExpectationFailed.Status():
		p = Problem{Outcome: ExpectationFailed, Detail: "of the expectations, 100-continue alone is supported"}
	case NotSupported.Status():
		p = Problem{Outcome: NotSupported, Detail: "of the transfer codings, chunked alone is supported"}
	case VersionNotSupported.Status():
		p = Problem{Outcome: VersionNotSupported, Detail: "speak HTTP/1.1 or HTTP/1.0"}
	}
	body := p.append(nil)
	line := bytes.IndexByte(plain, '\r')
	out := append([]byte(nil), plain[:line]...)
	out = append(out, "\r\nContent-Type: application/problem+json\r\nContent-Length: "...)
	out = strconv.AppendInt(out, int64(len(body)), 10)
	out = append(out, "\r\nConnection: close\r\n\r\n"...)
	return append(out, body...)
}

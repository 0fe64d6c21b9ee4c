package api

import (
	"bytes"
	"net"
	"net/http"
	"strconv"
	"sync"
	"sync/atomic"
	"time"
)

// A conn is a connection of a listener. It knows since when it is of no use to anyone, and translates net/http's own
// errors: requests that can't be parsed never reach a handler; net/http writes a few fixed lines of plain text, and closes.
type conn struct {
	net.Conn
	of        *listener
	idleSince atomic.Int64 // Unix nanoseconds; 0 while a request is under way
	pathEnded bool         // the request line is in; only the server's goroutine uses it, and only until the request is under way
	answering bool         // a handler has begun, so that what is written is no error of net/http; like pathEnded, only the server's goroutine uses it
	held      []byte       // the first bytes of an answer, which leave with those that follow; like holds, only the server's goroutine uses it
	holds     bool         // such bytes are held back now: see writeBody
	closed    sync.Once
	closeErr  error
}

// note takes down what the server says of the connection.
func (c *conn) note(s http.ConnState) {
	switch s {
	case http.StateNew, http.StateIdle:
		c.pathEnded, c.answering = false, false
		c.idleSince.Store(time.Now().UnixNano())
		c.of.wake()
	default:
		c.idleSince.Store(0)
	}
}

// Read notices where the request line ends: a head that is too large is so because of its path, or because of its headers,
// and net/http doesn't say which. It calls a connection active once the head is in.
func (c *conn) Read(b []byte) (int, error) {
	n, err := c.Conn.Read(b)
	if c.idleSince.Load() != 0 && !c.pathEnded {
		c.pathEnded = bytes.IndexByte(b[:n], '\n') >= 0
	}
	return n, err
}

// Close closes the connection. Closing it again does nothing.
func (c *conn) Close() error {
	c.closed.Do(func() {
		c.closeErr = c.Conn.Close()
		c.of.gone(c)
	})
	return c.closeErr
}

// CloseWrite lets the client know that nothing more will come, where the connection underneath can say so.
func (c *conn) CloseWrite() error {
	if half, ok := c.Conn.(interface{ CloseWrite() error }); ok {
		return half.CloseWrite()
	}
	return nil
}

// Bare returns the connection underneath, for one who has taken this one over from net/http: net.Buffers go out in one call through a
// *net.TCPConn only. This one has to be closed all the same, so that the listener knows.
func (c *conn) Bare() net.Conn { return c.Conn }

var (
	statusLine = []byte("HTTP/1.1 ")
	// How each of these answers goes on behind its status line.
	plainError = []byte("\r\nContent-Type: text/plain; charset=utf-8\r\nConnection: close\r\n\r\n")
	// The one that has a Date as well, and no body.
	expectationFailed = []byte("HTTP/1.1 417 ")
)

func (c *conn) Write(b []byte) (int, error) {
	if c.holds {
		return c.writeHeld(b)
	}
	if c.answering || !bytes.HasPrefix(b, statusLine) || !isPlainError(b) {
		return c.Conn.Write(b)
	}
	if _, err := c.Conn.Write(parseError(b, c.pathEnded)); err != nil {
		return 0, err
	}
	c.part(c.Conn) // net/http closes next
	return len(b), nil
}

func isPlainError(b []byte) bool {
	line := bytes.IndexByte(b, '\r')
	return line > 0 && (bytes.HasPrefix(b[line:], plainError) || bytes.HasPrefix(b, expectationFailed))
}

// parseError returns the answer that takes the place of one of net/http's.
func parseError(plain []byte, pathEnded bool) []byte {
	p := Problem{Outcome: BadRequest, Detail: "this is not valid HTTP/1.1: look at the percent-encoding of the path, and at the headers"}
	status := plain[:bytes.IndexByte(plain, '\r')]
	switch code, _ := strconv.Atoi(string(plain[len(statusLine):][:3])); {
	case code == HeadersTooLarge.Status() && !pathEnded:
		p = Problem{Outcome: KeyTooLong, Detail: "a key has at most 1024 bytes, and the path to it at most 16 KiB"}
		status = []byte("HTTP/1.1 414 Request URI Too Long")
	case code == HeadersTooLarge.Status():
		p = Problem{Outcome: HeadersTooLarge, Detail: "path and headers have at most 16 KiB together"}
	case code == ExpectationFailed.Status():
		p = Problem{Outcome: ExpectationFailed, Detail: "of the expectations, 100-continue alone is supported"}
	case code == NotSupported.Status():
		p = Problem{Outcome: NotSupported, Detail: "of the transfer codings, chunked alone is supported"}
	case code == VersionNotSupported.Status():
		p = Problem{Outcome: VersionNotSupported, Detail: "speak HTTP/1.1 or HTTP/1.0"}
	}
	body := p.append(nil)
	out := append([]byte(nil), status...)
	out = append(out, "\r\nContent-Type: application/problem+json\r\nContent-Length: "...)
	out = strconv.AppendInt(out, int64(len(body)), 10)
	out = append(out, "\r\nConnection: close\r\n\r\n"...)
	return append(out, body...)
}

package wire

import (
	"net"
	"strings"
	"sync/atomic"
	"testing"
)

// wrappedConn is a connection as a server hands it over that has a type of its own for them.
type wrappedConn struct {
	net.Conn
	writes *atomic.Int64
}

func (c wrappedConn) Bare() net.Conn { return c.Conn }

func (c wrappedConn) Write(b []byte) (int, error) {
	c.writes.Add(1)
	return c.Conn.Write(b)
}

type wrappingListener struct {
	net.Listener
	writes atomic.Int64
}

func (l *wrappingListener) Accept() (net.Conn, error) {
	c, err := l.Listener.Accept()
	return wrappedConn{c, &l.writes}, err
}

// TestAnswersPassByAWrapper: through it, what waits together would leave by a call for each large value and one for each head.
func TestAnswersPassByAWrapper(t *testing.T) {
	inner, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	l := &wrappingListener{Listener: inner}
	n := serveOn(t, l, ServerOptions{}, newMemory())
	p := startPool(t, PoolOptions{})
	value := strings.Repeat("v", 2*largeValue)
	if r := ask(t, p, "n1", n.addr, writeOf("k", value), patience); r.Err != nil || r.Response.Status != OK {
		t.Fatalf("write = %+v", r)
	}
	handshake := l.writes.Load()
	if r := ask(t, p, "n1", n.addr, readOf("k"), patience); r.Err != nil || string(r.Response.Record.Value) != value {
		t.Fatalf("read = %v, %d bytes", r.Err, len(r.Response.Record.Value))
	}
	if more := l.writes.Load() - handshake; more != 0 {
		t.Errorf("an answer took %d calls of the wrapper's Write, want none", more)
	}
}

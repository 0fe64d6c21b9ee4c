package api

import (
	"bufio"
	"bytes"
	"fmt"
	"io"
	"net"
	"net/http"
	"sync/atomic"
	"testing"

	"ringkv/gateway/api/apitest"
)

// countedConn counts the calls of Write. net.Buffers go past it, to the TCP connection.
type countedConn struct {
	*net.TCPConn
	writes *atomic.Int64
}

func (c countedConn) Write(b []byte) (int, error) {
	c.writes.Add(1)
	return c.TCPConn.Write(b)
}

type countedListener struct {
	net.Listener
	writes atomic.Int64
}

func (l *countedListener) Accept() (net.Conn, error) {
	c, err := l.Listener.Accept()
	if err != nil {
		return nil, err
	}
	return countedConn{c.(*net.TCPConn), &l.writes}, nil
}

// TestHeadLeavesWithTheBody asks for values of all sizes around those at which an answer is written in another way, all over one connection:
// each comes whole, and where both parts of one are large, they have left in one call.
func TestHeadLeavesWithTheBody(t *testing.T) {
	fake := apitest.NewFake()
	l := &countedListener{}
	addr := serveOn(t, NewServer(newTestRouter(t, fake, Limits{}), quiet()), func(inner net.Listener) net.Listener {
		l.Listener = inner
		return NewListener(l, 8)
	})
	c := dial(t, addr)
	in := bufio.NewReader(c)
	get := func(path string) []byte {
		t.Helper()
		if _, err := fmt.Fprintf(c, "GET %s HTTP/1.1\r\nHost: x\r\n\r\n", path); err != nil {
			t.Fatal(err)
		}
		resp, err := http.ReadResponse(in, nil)
		if err != nil {
			t.Fatal(err)
		}
		body, err := io.ReadAll(resp.Body)
		if err != nil || resp.StatusCode != http.StatusOK {
			t.Fatalf("GET %s = %d, then %v", path, resp.StatusCode, err)
		}
		return body
	}
	for _, size := range []int{0, 1, gathered - 300, gathered, togetherFrom - 1, togetherFrom, togetherFrom + 1, 10 << 10, piece, piece + 1, 300 << 10} {
		value := make([]byte, size)
		for i := range value {
			value[i] = 'a' + byte(i%25)
		}
		if _, err := fake.Put(t.Context(), "a", value, ""); err != nil {
			t.Fatal(err)
		}
		before := l.writes.Load()
		if got := get("/kv/a?raw"); !bytes.Equal(got, value) {
			t.Fatalf("a value of %d bytes came as %d others", size, len(got))
		}
		if writes := l.writes.Load() - before; size >= togetherFrom && writes != 0 {
			t.Errorf("%d bytes: %d calls of Write beside that for all of it", size, writes)
		}
		want := `{"success":true,"key":"a","value":"` + string(value) + `","version":"`
		if got := get("/kv/a"); !bytes.HasPrefix(got, []byte(want)) || !bytes.HasSuffix(got, []byte(`"}`)) {
			t.Fatalf("a value of %d bytes came in another envelope, of %d bytes", size, len(got))
		}
	}
}

// TestHeldBackIsNotLost: what net/http writes first leaves even where nothing comes behind it.
func TestHeldBackIsNotLost(t *testing.T) {
	p := newPipe(nil)
	c := &conn{Conn: p, holds: true}
	if n, err := c.Write([]byte("first")); n != 5 || err != nil || p.out.Len() > 0 {
		t.Fatalf("Write = %d %v, and %q has left", n, err, p.out.String())
	}
	if err := c.release(); err != nil || p.out.String() != "first" || c.holds {
		t.Fatalf("release = %v, and %q has left", err, p.out.String())
	}
	if _, err := c.Write([]byte(", second")); err != nil || p.out.String() != "first, second" {
		t.Errorf("then Write = %v, and %q has left", err, p.out.String())
	}
}

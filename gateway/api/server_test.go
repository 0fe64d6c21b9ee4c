package api

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"ringkv/gateway/api/apitest"
)

const patience = 10 * time.Second

// serve serves h as the programs do until the test ends, and returns its address. change, if given, changes the server's
// limits before.
func serve(t *testing.T, h http.Handler, maxConns int, change func(*http.Server)) string {
	t.Helper()
	srv := NewServer(h, quiet())
	if change != nil {
		change(srv)
	}
	return serveOn(t, srv, func(l net.Listener) net.Listener { return NewListener(l, maxConns) })
}

// serveOn serves until the test ends, on what wrap makes of a listener.
func serveOn(t *testing.T, srv *http.Server, wrap func(net.Listener) net.Listener) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	done := make(chan error, 1)
	go func() { done <- srv.Serve(wrap(l)) }()
	t.Cleanup(func() {
		if err := srv.Close(); err != nil {
			t.Errorf("close: %v", err)
		}
		if err := <-done; err != http.ErrServerClosed {
			t.Errorf("Serve = %v, want %v", err, http.ErrServerClosed)
		}
	})
	return l.Addr().String()
}

func dial(t *testing.T, addr string) net.Conn {
	t.Helper()
	c, err := net.Dial("tcp", addr)
	if err != nil {
		t.Fatal(err)
	}
	if err := c.SetDeadline(time.Now().Add(patience)); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = c.Close() })
	return c
}

// exchange sends a request, and reads the whole of its answer.
func exchange(c net.Conn, request string) (*http.Response, error) {
	if _, err := io.WriteString(c, request); err != nil {
		return nil, err
	}
	return readResponse(c)
}

func readResponse(c net.Conn) (*http.Response, error) {
	resp, err := http.ReadResponse(bufio.NewReader(c), nil)
	if err != nil {
		return nil, err
	}
	_, err = io.Copy(io.Discard, resp.Body)
	return resp, err
}

const getA = "GET /kv/a HTTP/1.1\r\nHost: x\r\n\r\n"

func TestIdleConnectionsLockNobodyOut(t *testing.T) {
	const room = 8
	addr := serve(t, newTestRouter(t, apitest.NewFake(), Limits{}), room, nil)
	for i := range 3 * room {
		c := dial(t, addr)
		if i%2 == 0 { // the others never say anything
			if _, err := exchange(c, getA); err != nil {
				t.Fatalf("connection %d: %v", i, err)
			}
		}
	}
	if _, err := exchange(dial(t, addr), getA); err != nil {
		t.Fatalf("one more connection: %v", err)
	}
}

func TestOldestIdleConnectionMakesRoom(t *testing.T) {
	l := NewListener(&pipeListener{closed: make(chan struct{})}, 3).(*listener)
	add := func(idleSince int64) *conn {
		c := &conn{Conn: newPipe(nil), of: l}
		c.idleSince.Store(idleSince)
		if !l.admit(c) {
			t.Fatalf("no room for connection %d", len(l.open))
		}
		return c
	}
	busy, young, old := add(0), add(2), add(1)
	if l.admit(&conn{}) {
		t.Fatal("room for one more than there may be")
	}
	for _, next := range []*conn{old, young} {
		if !l.evict() {
			t.Fatal("nobody made room")
		}
		if _, there := l.open[next]; there {
			t.Errorf("the connection idle since %d is still there", next.idleSince.Load())
		}
	}
	if l.evict() {
		t.Error("a busy connection was closed")
	}
	if err := busy.Close(); err != nil || len(l.open) != 0 {
		t.Errorf("%d connections open (%v), want none", len(l.open), err)
	}
}

// While all connections have requests under way, newcomers wait, and nobody is cut off.
func TestBusyConnectionsStay(t *testing.T) {
	const room = 4
	gate := make(chan struct{})
	fake := apitest.NewFake()
	router := newTestRouter(t, fake, Limits{})
	arrived := make(chan struct{}, room)
	blocking := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		arrived <- struct{}{}
		<-gate
		router.ServeHTTP(w, r)
	})
	addr := serve(t, blocking, room, nil)
	answers := make(chan error, room+1)
	ask := func(c net.Conn) {
		_, err := exchange(c, getA)
		answers <- err
	}
	for range room {
		go ask(dial(t, addr))
	}
	for range room {
		<-arrived
	}
	go ask(dial(t, addr))
	close(gate)
	<-arrived
	for range room + 1 {
		if err := <-answers; err != nil {
			t.Error(err)
		}
	}
}

// starved is a listener for which there are no descriptors left at first.
type starved struct {
	net.Listener
	failures atomic.Int32 // still to come
}

func (l *starved) Accept() (net.Conn, error) {
	if l.failures.Add(-1) >= 0 {
		return nil, &net.OpError{Op: "accept", Net: "tcp", Err: os.NewSyscallError("accept4", syscall.EMFILE)}
	}
	return l.Listener.Accept()
}

// Where descriptors run out, an idle connection gives up its own, and the server goes on accepting.
func TestOutOfDescriptors(t *testing.T) {
	inner, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	poor := &starved{Listener: inner}
	l := NewListener(poor, 100)
	srv := NewServer(newTestRouter(t, apitest.NewFake(), Limits{}), quiet())
	done := make(chan error, 1)
	go func() { done <- srv.Serve(l) }()
	idle := dial(t, inner.Addr().String())
	if _, err := exchange(idle, getA); err != nil {
		t.Fatal(err)
	}
	for deadline := time.Now().Add(patience); l.(*listener).oldestIdle() == nil; { // the answer comes a moment before
		if time.Now().After(deadline) {
			t.Fatal("the connection does not become idle")
		}
		runtime.Gosched()
	}
	poor.failures.Store(1)
	for i := range 2 { // the first may be taken by the Accept that was under way already
		if _, err := exchange(dial(t, inner.Addr().String()), getA); err != nil {
			t.Fatalf("connection %d after descriptors ran out: %v", i, err)
		}
	}
	if _, err := readResponse(idle); err == nil {
		t.Error("the idle connection is still there")
	}
	if err := srv.Close(); err != nil {
		t.Error(err)
	}
	if err := <-done; err != http.ErrServerClosed {
		t.Errorf("Serve = %v, want %v", err, http.ErrServerClosed)
	}
}

func TestSlowHeadersAreCutOff(t *testing.T) {
	addr := serve(t, newTestRouter(t, apitest.NewFake(), Limits{}), 100, func(s *http.Server) { s.ReadHeaderTimeout = 50 * time.Millisecond })
	var wg sync.WaitGroup
	for range 20 {
		c := dial(t, addr)
		wg.Go(func() {
			if _, err := exchange(c, "GET /kv/a HTTP/1.1\r\nHost: "); err == nil {
				t.Error("half of the headers got an answer")
			}
		})
	}
	if _, err := exchange(dial(t, addr), getA); err != nil {
		t.Errorf("a good request meanwhile: %v", err)
	}
	wg.Wait()
}

// Half of the writers go away in the middle of their values. None of theirs may be stored.
func TestAbortedWritesStoreNothing(t *testing.T) {
	fake := apitest.NewFake()
	addr := serve(t, newTestRouter(t, fake, Limits{}), 1000, nil)
	const writers = 200
	value := strings.Repeat("v", 4<<10)
	put := fmt.Sprintf("PUT /kv/hot HTTP/1.1\r\nHost: x\r\nContent-Length: %d\r\n\r\n", len(value))
	var wg sync.WaitGroup
	for i := range writers {
		wg.Go(func() {
			c := dial(t, addr)
			if i%2 == 0 {
				_, _ = io.WriteString(c, put+value[:1000])
				_ = c.Close()
				return
			}
			if resp, err := exchange(c, put+value); err != nil || resp.StatusCode != http.StatusOK {
				t.Errorf("PUT = %v, %v", resp, err)
			}
		})
	}
	wg.Wait()
	if got := fake.Writes(); got != writers/2 {
		t.Errorf("%d writes, want %d", got, writers/2)
	}
	if r, _ := fake.Record("hot"); string(r.Value) != value {
		t.Errorf("stored %d bytes, want %d", len(r.Value), len(value))
	}
}

// A refusal for which no body is left unread keeps the connection.
func TestErrorsKeepTheConnection(t *testing.T) {
	addr := serve(t, newTestRouter(t, apitest.NewFake(), Limits{}), 10, nil)
	c := dial(t, addr)
	for _, path := range []string{"/kv/a", "/kv/..", "/nothing"} {
		resp, err := exchange(c, "GET "+path+" HTTP/1.1\r\nHost: x\r\n\r\n")
		if err != nil || resp.StatusCode < 400 || resp.Close {
			t.Fatalf("GET %s = %v, %v, want an error on a connection that stays", path, resp, err)
		}
	}
}

// deadlines is an answer on a connection that takes down its deadlines.
type deadlines struct {
	*httptest.ResponseRecorder
	read, write time.Time
}

func (d *deadlines) SetReadDeadline(t time.Time) error  { d.read = t; return nil }
func (d *deadlines) SetWriteDeadline(t time.Time) error { d.write = t; return nil }

// Large values have as long as they need at the slowest rate, and no longer.
func TestTimeForLargeValues(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const size = 4 << 20
		value := strings.Repeat("v", size)
		h := newTestRouter(t, apitest.NewFake(), Limits{MaxValue: size})
		at := bodyGrace + size/bodyRate*time.Second
		put := &deadlines{ResponseRecorder: httptest.NewRecorder()}
		r := httptest.NewRequest("PUT", "/kv/a", strings.NewReader(value))
		h.ServeHTTP(put, r)
		if put.Code != 200 || !put.read.IsZero() || !put.write.Equal(time.Now().Add(at+writeTimeout)) {
			t.Errorf("PUT = %d with deadlines %v and %v, want none, and %v from now", put.Code, put.read, put.write, at+writeTimeout)
		}
		get := &deadlines{ResponseRecorder: httptest.NewRecorder()}
		h.ServeHTTP(get, httptest.NewRequest("GET", "/kv/a", nil))
		if get.Code != 200 || !get.write.Equal(time.Now().Add(at)) {
			t.Errorf("GET = %d with the deadline %v, want %v from now", get.Code, get.write, at)
		}
	})
}

// Some clients read nothing before they have sent all, far more than the buffers in between hold.
func TestRefusalsReachClientsThatSendAllFirst(t *testing.T) {
	closed := make(chan struct{}, 8)
	addr := serve(t, newTestRouter(t, apitest.NewFake(), Limits{}), 8, func(s *http.Server) {
		note := s.ConnState
		s.ConnState = func(c net.Conn, state http.ConnState) {
			note(c, state)
			if state == http.StateClosed {
				closed <- struct{}{}
			}
		}
	})
	const size = 8 << 20
	for _, head := range []string{
		"PUT /kv/a HTTP/1.1\r\n", "PUT /kv/a HTTP/1.1\r\nConnection: close\r\n", "PUT /kv/.. HTTP/1.1\r\nConnection: close\r\n", "POST /kv/a HTTP/1.0\r\n", "DELETE /kv/a HTTP/1.1\r\n",
		"PUT /kv/%zz HTTP/1.1\r\n", "PUT /kv/a HTTP/1.1\r\nTransfer-Encoding: gzip\r\n", "PUT /kv/a HTTP/1.1\r\nExpect: nothing\r\n",
	} {
		c := dial(t, addr)
		body := strings.NewReader(strings.Repeat("v", size))
		if _, err := io.Copy(c, io.MultiReader(strings.NewReader(fmt.Sprintf("%sHost: x\r\nContent-Length: %d\r\n\r\n", head, size)), body)); err != nil {
			t.Errorf("%.30q: %v with %d bytes left to send", head, err, body.Len())
		}
		resp, err := readResponse(c)
		if err != nil || resp.StatusCode < 400 {
			t.Errorf("%.30q = %v, %v, want it refused", head, resp, err)
		}
		if err := c.Close(); err != nil {
			t.Error(err)
		}
		<-closed
	}
}

// Whoever doesn't send the body, and reads until the connection ends, isn't left waiting.
func TestRefusalsEndTheConnection(t *testing.T) {
	addr := serve(t, newTestRouter(t, apitest.NewFake(), Limits{}), 8, nil)
	for _, head := range []string{"PUT /kv/.. HTTP/1.1\r\nExpect: 100-continue\r\n", "PUT /kv/a?cas=1 HTTP/1.1\r\n", "POST /kv/a HTTP/1.1\r\n", "DELETE /kv/a HTTP/1.1\r\n"} {
		c := dial(t, addr)
		if err := c.SetDeadline(time.Now().Add(parting * 3 / 4)); err != nil {
			t.Fatal(err)
		}
		if _, err := io.WriteString(c, head+"Host: x\r\nContent-Length: 5\r\n\r\n"); err != nil {
			t.Fatal(err)
		}
		all, err := io.ReadAll(c)
		if err != nil || !strings.Contains(string(all), "\r\nConnection: close\r\n") || !strings.HasSuffix(string(all), "}") || strings.Contains(string(all), "chunked") {
			t.Errorf("%.40q = %q, %v, want a whole answer and its end", head, all, err)
		}
	}
}

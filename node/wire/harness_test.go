package wire

import (
	"cmp"
	"context"
	"errors"
	"net"
	"net/http"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"

	"ringkv/hashring/placement"
	"ringkv/node/record"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const patience = 10 * time.Second

var someConfig = &placement.Config{Generation: 7, Owners: []string{"n1", "n2", "n3"}}

func readOf(key string) *Request { return &Request{Op: OpRead, Config: someConfig, Key: key} }

func writeOf(key, value string) *Request {
	v := record.Version{HLC: 9, Writer: 4}
	return &Request{Op: OpWrite, Config: someConfig, Key: key, Record: record.Record{Key: key, Version: v, Type: "text/plain", Value: []byte(value)}}
}

// requestFrame appends the whole frame of req to b.
func requestFrame(b []byte, id uint64, req *Request) []byte {
	b, value := appendRequest(b, id, req)
	return append(b, value...)
}

// responseFrame appends the whole frame of resp to b.
func responseFrame(b []byte, id uint64, resp *Response) []byte {
	b, value := appendResponse(b, id, resp)
	return append(b, value...)
}

// handlerFunc serves by a function.
type handlerFunc func(req *Request, respond func(Response))

func (f handlerFunc) Handle(req *Request, respond func(Response)) { f(req, respond) }

// memory is a Handler that keeps the newest record of each key.
type memory struct {
	mu      sync.Mutex // guards records
	records map[string]record.Record
}

func newMemory() *memory { return &memory{records: map[string]record.Record{}} }

func (m *memory) Handle(req *Request, respond func(Response)) {
	m.mu.Lock()
	if req.Op.carriesRecord() {
		m.records[req.Key] = record.Newer(m.records[req.Key], req.Record)
		m.mu.Unlock()
		respond(Response{Status: OK})
		return
	}
	held := m.records[req.Key]
	m.mu.Unlock()
	respond(Response{Status: OK, Record: held})
}

// node is a Server behind an HTTP server.
type node struct {
	*Server
	addr string
	stop func() // all of it, at once
}

// startNode starts a node that listens on loopback, at a port of its own if addr is "127.0.0.1:0".
func startNode(t testing.TB, addr string, opts ServerOptions, h Handler) *node {
	t.Helper()
	listener, err := net.Listen("tcp", addr)
	if err != nil {
		t.Fatal(err)
	}
	return serveOn(t, listener, opts, h)
}

func serveOn(t testing.TB, listener net.Listener, opts ServerOptions, h Handler) *node {
	t.Helper()
	opts.Node = cmp.Or(opts.Node, "n1")
	opts.Replicas = cmp.Or(opts.Replicas, 3)
	opts.Cluster = cmp.Or(opts.Cluster, "ringkv-node")
	n := &node{Server: NewServer(opts, h), addr: listener.Addr().String()}
	mux := http.NewServeMux()
	mux.Handle("GET "+Path, n)
	web := &http.Server{Handler: mux, ReadTimeout: time.Second, WriteTimeout: time.Second}
	served := make(chan struct{})
	go func() {
		defer close(served)
		if err := web.Serve(listener); !errors.Is(err, http.ErrServerClosed) {
			t.Errorf("http server: %v", err)
		}
	}()
	n.stop = sync.OnceFunc(func() {
		web.Close()
		n.Close()
		<-served
	})
	t.Cleanup(n.stop)
	return n
}

func startPool(t testing.TB, opts PoolOptions) *Pool {
	t.Helper()
	opts.Replicas = cmp.Or(opts.Replicas, 3)
	opts.Cluster = cmp.Or(opts.Cluster, "ringkv-node")
	opts.DialTimeout = cmp.Or(opts.DialTimeout, patience) // a busy machine must not look like a refusal
	p := NewPool(opts)
	t.Cleanup(p.Close)
	return p
}

// ask sends one request and waits for its Reply.
func ask(t testing.TB, p *Pool, node, addr string, req *Request, within time.Duration) Reply {
	t.Helper()
	to := make(chan Reply, 1)
	p.Send(node, addr, req, time.Now().Add(within), to)
	return receive(t, to)
}

func receive[T any](t testing.TB, from <-chan T) T {
	t.Helper()
	select {
	case got := <-from:
		return got
	case <-time.After(patience):
		t.Fatal("nothing came within 10 s")
		panic("unreachable")
	}
}

// eventually polls until ok holds.
func eventually(t testing.TB, what string, ok func() bool) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	poll := time.NewTicker(time.Millisecond)
	defer poll.Stop()
	for !ok() {
		select {
		case <-poll.C:
		case <-ctx.Done():
			t.Fatalf("not within 10 s: %s", what)
		}
	}
}

package bench

import (
	"fmt"
	"net"
	"net/http"
	"testing"
	"time"

	"ringkv/node/wire"
)

// BenchmarkWire has all callers share the one connection of a Pool.
func BenchmarkWire(b *testing.B) { benchCallers(b, 1, newTrivial(valueSize)) }

// BenchmarkWireTwo has them share two connections, those of two Pools.
func BenchmarkWireTwo(b *testing.B) { benchCallers(b, 2, newTrivial(valueSize)) }

// BenchmarkWireLater has writes answered from another goroutine, together, as a store does that shares an fsync.
func BenchmarkWireLater(b *testing.B) {
	l := &later{now: newTrivial(valueSize), line: make(chan func(wire.Response), 4096)}
	done := make(chan struct{})
	go func() {
		defer close(done)
		for respond := range l.line {
			respond(wire.Response{Status: wire.OK})
		}
	}()
	benchCallers(b, 1, l)
	close(l.line)
	<-done
}

// later answers reads at once, and writes from another goroutine.
type later struct {
	now  *trivial
	line chan func(wire.Response)
}

func (l *later) Handle(req *wire.Request, respond func(wire.Response)) {
	if req.Op == wire.OpRead {
		l.now.Handle(req, respond)
		return
	}
	l.line <- respond
}

// BenchmarkWireSizes has 64 callers read and write larger values.
func BenchmarkWireSizes(b *testing.B) {
	for name, size := range map[string]int{"10KiB": 10 << 10, "1MiB": 1 << 20} {
		b.Run(name, func(b *testing.B) { benchWire(b, 64, 1, size, newTrivial(size)) })
	}
}

func benchCallers(b *testing.B, conns int, h wire.Handler) {
	for _, callers := range []int{1, 64, 512} {
		b.Run(fmt.Sprint(callers), func(b *testing.B) { benchWire(b, callers, conns, valueSize, h) })
	}
}

func benchWire(b *testing.B, callers, conns, size int, h wire.Handler) {
	addr := serveWire(b, h)
	pools := make([]*wire.Pool, conns)
	for i := range pools {
		pools[i] = wire.NewPool(wire.PoolOptions{Replicas: 3, Cluster: "ringkv-node", MaxQueued: 128 << 20})
		b.Cleanup(pools[i].Close)
	}
	load(b, callers, size, func(i int) func(*wire.Request) {
		to := make(chan wire.Reply, 1)
		pool := pools[i%conns]
		return func(req *wire.Request) {
			pool.Send(config.Owners[0], addr, req, time.Now().Add(10*time.Second), to)
			if reply := <-to; reply.Err != nil || reply.Response.Status != wire.OK {
				b.Errorf("%v, status %d %s", reply.Err, reply.Response.Status, reply.Response.Detail)
			}
		}
	})
}

func serveWire(b *testing.B, h wire.Handler) (addr string) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		b.Fatal(err)
	}
	server := wire.NewServer(wire.ServerOptions{
		Node: config.Owners[0], Replicas: 3, Cluster: "ringkv-node", MaxBytes: 128 << 20, MaxTotalBytes: 128 << 20,
	}, h)
	web := &http.Server{Handler: server}
	go web.Serve(listener)
	b.Cleanup(func() {
		web.Close()
		server.Close()
	})
	return listener.Addr().String()
}

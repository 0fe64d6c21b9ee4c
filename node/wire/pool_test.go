package wire

import (
	"context"
	"fmt"
	"net"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
)

func TestWriteThenRead(t *testing.T) {
	n := startNode(t, "127.0.0.1:0", ServerOptions{}, newMemory())
	p := startPool(t, PoolOptions{})
	write := writeOf("a/b", "value")
	if got := ask(t, p, "n1", n.addr, write, patience); got.Err != nil || got.Response.Status != OK {
		t.Fatalf("write = %+v, want OK", got)
	}
	got := ask(t, p, "n1", n.addr, readOf("a/b"), patience)
	if got.Err != nil || got.Node != "n1" || got.Response.Status != OK {
		t.Fatalf("read = %+v, want OK of n1", got)
	}
	if r := got.Response.Record; r.Key != "a/b" || string(r.Value) != "value" || r.Version != write.Record.Version || r.Type != "text/plain" {
		t.Errorf("record read = %+v, want %+v", r, write.Record)
	}
}

func TestManyShareOneConnection(t *testing.T) {
	const callers, each = 64, 50
	var dials atomic.Int32
	n := startNode(t, "127.0.0.1:0", ServerOptions{}, newMemory())
	p := startPool(t, PoolOptions{Dial: func(ctx context.Context, addr string) (net.Conn, error) {
		dials.Add(1)
		return dialTCP(ctx, addr)
	}})
	var all sync.WaitGroup
	for caller := range callers {
		all.Go(func() {
			for i := range each {
				key, value := fmt.Sprint(caller, "/", i), strings.Repeat(fmt.Sprint(caller), 1+i*i*i/8)
				if got := ask(t, p, "n1", n.addr, writeOf(key, value), patience); got.Err != nil || got.Response.Status != OK {
					t.Errorf("write of %s: %+v", key, got)
				}
				if got := ask(t, p, "n1", n.addr, readOf(key), patience); got.Err != nil || string(got.Response.Record.Value) != value || got.Response.Record.Key != key {
					t.Errorf("read of %s: %v, %d bytes, want %d", key, got.Err, len(got.Response.Record.Value), len(value))
				}
			}
		})
	}
	all.Wait()
	if dials.Load() != 1 {
		t.Errorf("dialled %d times, want once", dials.Load())
	}
}

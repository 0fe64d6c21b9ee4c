package wire

import "testing"

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

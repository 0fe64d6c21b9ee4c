package wire

import (
	"net"
	"sync/atomic"
	"syscall"
	"testing"
)

// tellingListener hands its connections on wrapped, and tells of each.
type tellingListener struct {
	net.Listener
	accepted chan *net.TCPConn
}

func (l tellingListener) Accept() (net.Conn, error) {
	c, err := l.Listener.Accept()
	if err != nil {
		return nil, err
	}
	l.accepted <- c.(*net.TCPConn)
	return wrappedConn{c, new(atomic.Int64)}, nil
}

// TestANodeLooksForAskersThatVanished: the kernel finds one within half a minute, on a connection that the server has wrapped as well.
func TestANodeLooksForAskersThatVanished(t *testing.T) {
	inner, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	l := tellingListener{inner, make(chan *net.TCPConn, 1)}
	n := serveOn(t, l, ServerOptions{}, newMemory())
	p := startPool(t, PoolOptions{})
	if r := ask(t, p, "n1", n.addr, readOf("k"), patience); r.Err != nil {
		t.Fatal(r.Err)
	}
	raw, err := receive(t, l.accepted).SyscallConn()
	if err != nil {
		t.Fatal(err)
	}
	for name, want := range map[int]int{syscall.TCP_KEEPIDLE: 15, syscall.TCP_KEEPINTVL: 5, syscall.TCP_KEEPCNT: 3} {
		var got int
		var bad error
		if err := raw.Control(func(fd uintptr) { got, bad = syscall.GetsockoptInt(int(fd), syscall.IPPROTO_TCP, name) }); err != nil || bad != nil {
			t.Fatal(err, bad)
		}
		if got != want {
			t.Errorf("option %d of TCP is %d, want %d", name, got, want)
		}
	}
}

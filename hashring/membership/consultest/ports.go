package consultest

import (
	"io"
	"math/rand/v2"
	"net"
	"strconv"
	"sync"
	"testing"
)

// Ports are chosen below those that systems give to outgoing connections, so that they stay free while Consul is down.
const lowestPort, ports = 20000, 10000

// given are the ports that tests of this program have. Whoever gets one may listen on it much later, so that to ask the system alone would give it away twice.
var given sync.Map

// FreePorts returns ports that were free a moment ago, for TCP and UDP. Until the test is over, nobody else gets them.
func FreePorts(t testing.TB, n int) []string {
	t.Helper()
	var free []string
	for range 1000 {
		port := strconv.Itoa(lowestPort + rand.IntN(ports))
		if _, taken := given.LoadOrStore(port, true); taken {
			continue
		}
		t.Cleanup(func() { given.Delete(port) })
		if !isFree(t, port) {
			continue
		}
		if free = append(free, port); len(free) == n {
			return free
		}
	}
	t.Fatalf("there are no %d free ports from %d on", n, lowestPort)
	return nil
}

func isFree(t testing.TB, port string) bool {
	t.Helper()
	addr := net.JoinHostPort("127.0.0.1", port)
	tcp, err := net.Listen("tcp", addr)
	if err != nil {
		return false
	}
	defer closeOrFail(t, tcp)
	udp, err := net.ListenPacket("udp", addr)
	if err != nil {
		return false
	}
	closeOrFail(t, udp)
	return true
}

func closeOrFail(t testing.TB, c io.Closer) {
	t.Helper()
	if err := c.Close(); err != nil {
		t.Errorf("free a port: %v", err)
	}
}

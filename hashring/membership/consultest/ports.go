package consultest

import (
	"io"
	"math/rand/v2"
	"net"
	"slices"
	"strconv"
	"testing"
)

// Ports are chosen below those that systems give to outgoing connections, so that they stay free while Consul is down.
const lowestPort, ports = 20000, 10000

// FreePorts returns distinct ports that were free a moment ago, for TCP and UDP.
func FreePorts(t testing.TB, n int) []string {
	t.Helper()
	var free []string
	for range 1000 {
		port := strconv.Itoa(lowestPort + rand.IntN(ports))
		if slices.Contains(free, port) || !isFree(t, port) {
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

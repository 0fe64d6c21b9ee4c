package settings

import (
	"context"
	"fmt"
	"net"
	"slices"
	"time"

	"github.com/hashicorp/consul/api"
)

// Advertise returns the host:port under which others reach a program that listens on the given port: given, if it is; else listenHost, if
// it names one address; else what agentHost tells (the address that the Consul agent is known by), if that is this
// host's; else the host's own address.
func Advertise(ctx context.Context, given, listenHost, port string, agentHost func(context.Context) string) (string, error) {
	if given != "" {
		return given, nil
	}
	if ip := net.ParseIP(listenHost); listenHost != "" && (ip == nil || !ip.IsUnspecified()) {
		return net.JoinHostPort(listenHost, port), nil
	}
	addrs, err := net.InterfaceAddrs()
	if err != nil {
		return "", fmt.Errorf("find this host's address: %w; give it with -advertise", err)
	}
	var own []string
	for _, a := range addrs {
		if n, ok := a.(*net.IPNet); ok {
			own = append(own, n.IP.String())
		}
	}
	if host := agentHost(ctx); slices.Contains(own, host) {
		return net.JoinHostPort(host, port), nil
	}
	return net.JoinHostPort(hostIP(own), port), nil
}

// hostIP picks the address that the default route leaves by, else one that isn't loopback, else loopback.
func hostIP(own []string) string {
	// Connecting a UDP socket sends nothing; it only makes the kernel choose a source address. 192.0.2.1 is for documents (RFC 5737).
	if conn, err := net.Dial("udp4", "192.0.2.1:9"); err == nil {
		defer conn.Close()
		if a, ok := conn.LocalAddr().(*net.UDPAddr); ok {
			return a.IP.String()
		}
	}
	for _, host := range own {
		if ip := net.ParseIP(host); ip.IsGlobalUnicast() {
			return host
		}
	}
	return "127.0.0.1"
}

// InList returns the entry of a fixed list that stands for a program on this host listening on the given port.
func InList(list []string, given, port string) (string, error) {
	if given != "" {
		if slices.Contains(list, given) {
			return given, nil
		}
		return "", &UsageError{fmt.Sprintf("-advertise %s is none of -nodes: name this node there in the same way", given)}
	}
	addrs, err := net.InterfaceAddrs()
	if err != nil {
		return "", fmt.Errorf("find this host's address: %w; give it with -advertise", err)
	}
	var mine []string
	for _, entry := range list {
		host, p, err := net.SplitHostPort(entry)
		if err == nil && p == port && isOwn(host, addrs) {
			mine = append(mine, entry)
		}
	}
	if len(mine) != 1 {
		return "", &UsageError{fmt.Sprintf("-nodes names this node %d times (port %s on this host): want once, or say which with -advertise", len(mine), port)}
	}
	return mine[0], nil
}

func isOwn(host string, addrs []net.Addr) bool {
	ips, err := net.LookupIP(host)
	if err != nil {
		return false
	}
	for _, ip := range ips {
		if ip.IsLoopback() {
			return true
		}
		for _, a := range addrs {
			if n, ok := a.(*net.IPNet); ok && n.IP.Equal(ip) {
				return true
			}
		}
	}
	return false
}

// AgentHost returns a func that asks a Consul agent for the address that it is known by. One that was started at the same
// moment is given a second to answer; then it is the empty string.
func AgentHost(client *api.Client) func(context.Context) string {
	return func(ctx context.Context) string {
		ctx, cancel := context.WithTimeout(ctx, time.Second)
		defer cancel()
		again := time.NewTicker(100 * time.Millisecond)
		defer again.Stop()
		for {
			var self struct{ Member struct{ Addr string } }
			// https://developer.hashicorp.com/consul/api-docs/agent#read-configuration
			if _, err := client.Raw().Query("/v1/agent/self", &self, (&api.QueryOptions{}).WithContext(ctx)); err == nil {
				return self.Member.Addr
			}
			select {
			case <-ctx.Done():
				return ""
			case <-again.C:
			}
		}
	}
}

package main

import (
	"errors"
	"fmt"
	"net"
	"syscall"
)

// port is a TCP port of this machine and the process that will listen on it.
type port struct {
	port  int
	owner string
}

// ports are those that this run listens on.
func (c config) ports() []port {
	var list []port
	if c.ownConsul() {
		list = append(list,
			port{c.consulPort, "Consul"},
			port{c.consulPort - 200, "Consul's server"},
			port{c.consulPort - 199, "Consul's gossip"})
	}
	for i := range c.nodes {
		list = append(list, port{c.nodePort + i, fmt.Sprintf("node %d", c.nodePort+i)})
	}
	return append(list, port{c.gatewayPort, "the gateway"})
}

// free returns an error that names the first port that is taken, and who may hold it.
func (c config) free() error {
	for _, p := range c.ports() {
		// Both, since what listens on all addresses does not always collide with what listens on loopback.
		for _, addr := range []string{loopback(p.port), fmt.Sprintf(":%d", p.port)} {
			listener, err := net.Listen("tcp", addr)
			if err == nil {
				err = listener.Close()
			}
			switch {
			case errors.Is(err, syscall.EADDRINUSE):
				return fmt.Errorf("port %d, for %s, is in use: %s (`lsof -nP -i :%d` names it)", p.port, p.owner, c.holder(p.port), p.port)
			case err != nil:
				return fmt.Errorf("port %d, for %s, can't be opened: %w", p.port, p.owner, err)
			}
		}
	}
	return nil
}

// holder guesses who listens on a port that is taken.
func (c config) holder(port int) string {
	switch {
	case c.ownConsul() && port == c.consulPort:
		return fmt.Sprintf("by another Consul? Stop it, or use it with `CONSUL_HTTP_ADDR=%s make run`", loopback(port))
	case c.ownConsul() && port < c.consulPort && port > c.consulPort-201:
		return "by another Consul?"
	case port == 5000:
		return "by a node that was started by hand, by `make up`, or on macOS by the AirPlay receiver?"
	default:
		return "by a process that was started by hand, or by `make up`?"
	}
}

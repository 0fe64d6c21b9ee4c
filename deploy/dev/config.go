package main

import (
	"errors"
	"flag"
	"fmt"
	"io"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"time"
)

const usage = `Usage: dev [flags]

Runs Consul, nodes and a gateway on this machine until Ctrl-C, and keeps their data for the next run.

With CONSUL_HTTP_ADDR set, that Consul is used and none is started. Without it a Consul of its own is started, and a
Consul that already holds the port is left alone: dev stops and says so, since it must not write to a Consul that nobody
named.

`

// config is what one run needs to know.
type config struct {
	nodes       int           // how many nodes to start
	nodePort    int           // the first node's port; the others follow
	gatewayPort int           // the gateway's port
	consulPort  int           // the HTTP port of a Consul of our own; server and gossip use it less 200 and less 199
	consulAddr  string        // CONSUL_HTTP_ADDR: a Consul that runs already; empty to start one
	data        string        // where everything is kept
	bin         string        // absolute path of the folder of the programs
	ready       time.Duration // how long the whole may take until it serves
	await       string        // addresses of gateways to wait for; with them nothing is started
}

func parseConfig(args []string, getenv func(string) string, out io.Writer) (config, error) {
	cfg := config{consulAddr: getenv("CONSUL_HTTP_ADDR")}
	flags := flag.NewFlagSet("dev", flag.ContinueOnError)
	flags.SetOutput(io.Discard)
	flags.IntVar(&cfg.nodes, "nodes", 3, "how many nodes to start; below 3 each key is kept on as many nodes as there are")
	flags.IntVar(&cfg.nodePort, "node-port", 5000, "port of the first node; the others take the ports after it")
	flags.IntVar(&cfg.gatewayPort, "gateway-port", 8001, "port of the gateway")
	flags.IntVar(&cfg.consulPort, "consul-port", 8500, "HTTP port of the Consul that is started; it also takes this less 200 and less 199")
	flags.StringVar(&cfg.data, "data", "data", "where Consul and the nodes keep their data")
	flags.StringVar(&cfg.bin, "bin", "bin", "where kvnode and kvgateway are, and consul when it is not on PATH")
	flags.DurationVar(&cfg.ready, "ready", time.Minute, "how long all of it may take until a write and a read pass")
	flags.StringVar(&cfg.await, "await", "", "start nothing: wait until a write and a read pass through these gateways (host:port,...)")
	err := flags.Parse(args)
	if errors.Is(err, flag.ErrHelp) {
		flags.SetOutput(out)
		_, _ = io.WriteString(out, usage) // no more to be done than PrintDefaults does
		flags.PrintDefaults()
	}
	if err != nil {
		return config{}, err
	}
	if flags.NArg() > 0 {
		return config{}, fmt.Errorf("%q is no flag: dev takes flags only", flags.Arg(0))
	}
	if err := cfg.validate(); err != nil {
		return config{}, err
	}
	cfg.bin, err = filepath.Abs(cfg.bin)
	return cfg, err
}

// mostNodes is more than one machine needs.
const mostNodes = 64

func (c config) validate() error {
	if c.nodes < 1 || c.nodes > mostNodes {
		return fmt.Errorf("-nodes %d: give 1 to %d (`make run NODES=5`)", c.nodes, mostNodes)
	}
	if c.ready <= 0 {
		return fmt.Errorf("-ready %v: give more than zero", c.ready)
	}
	taken := map[int]string{}
	for _, p := range c.ports() {
		if p.port < 1 || p.port > 65535 {
			return fmt.Errorf("port %d for %s: give 1 to 65535", p.port, p.owner)
		}
		if other, ok := taken[p.port]; ok {
			return fmt.Errorf("port %d is wanted by %s and by %s", p.port, other, p.owner)
		}
		taken[p.port] = p.owner
	}
	return nil
}

// ownConsul says whether dev starts a Consul.
func (c config) ownConsul() bool { return c.consulAddr == "" }

// consul is the address of the Consul in use.
func (c config) consul() string {
	if c.ownConsul() {
		return loopback(c.consulPort)
	}
	return c.consulAddr
}

func (c config) gateway() string { return loopback(c.gatewayPort) }

func loopback(port int) string { return net.JoinHostPort("127.0.0.1", strconv.Itoa(port)) }

// shown is path as the user would write it from where dev was started.
func shown(path string) string {
	wd, err := os.Getwd()
	if err != nil {
		return path
	}
	if rel, err := filepath.Rel(wd, path); err == nil && filepath.IsLocal(rel) {
		return rel
	}
	return path
}

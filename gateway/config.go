package main

import (
	"errors"
	"flag"
	"fmt"
	"io"
	"time"

	"ringkv/gateway/coordinator"
	"ringkv/gateway/settings"
)

// config is what the flags and their environment twins say.
type config struct {
	addr, advertise string
	replicas        int
	writeQuorum     int
	readQuorum      int
	service         string
	nodes           settings.List // a fixed ring in place of Consul
	timeout         time.Duration
	maxValue        settings.Bytes
	maxInflight     settings.Bytes
	log             settings.Log
}

// parseConfig reads the flags. It returns flag.ErrHelp after writing the usage to out if that is what was asked for.
func parseConfig(args []string, out io.Writer) (config, error) {
	c := config{maxValue: 1 << 20, maxInflight: 64 << 20}
	fs := flag.NewFlagSet("kvgateway", flag.ContinueOnError)
	fs.StringVar(&c.addr, "addr", ":8001", "HTTP listen `address`")
	fs.StringVar(&c.advertise, "advertise", "", "`host:port` that Consul uses; found from -addr and the host if empty")
	fs.IntVar(&c.replicas, "replicas", 3, "`copies` of each key, the same on all nodes and gateways; each one more is written and kept once more")
	fs.IntVar(&c.writeQuorum, "write-quorum", 0, "`copies` that must be durable before a write is acknowledged; a majority of -replicas if 0. More survives the loss of more disks, and waits for slower nodes")
	fs.IntVar(&c.readQuorum, "read-quorum", 0, "`copies` that a read asks for; a majority of -replicas if 0. It may be smaller the larger -write-quorum is")
	fs.StringVar(&c.service, "service", "ringkv-node", "`name` of the nodes' service in Consul; it names the cluster")
	fs.Var(&c.nodes, "nodes", "`host:port,...` of all nodes: a fixed ring without Consul")
	fs.DurationVar(&c.timeout, "timeout", 2*time.Second, "`time` that one request may take with all its tries; raising it lets clients wait longer for nodes that are in trouble")
	fs.Var(&c.maxValue, "max-value", "largest value, in `bytes` such as 1MiB, the same on all nodes and gateways, and never less than what is stored, as that could be read no more; a request may take that much memory on each of them")
	fs.Var(&c.maxInflight, "max-inflight", "`bytes` of requests under way at once, such as 64MiB; above it they are answered 503 at once. Raising it raises the memory the gateway may take")
	c.log.Flags(fs)
	const about = "kvgateway is the gateway of ringkv: it takes requests for all keys, and carries them out on the nodes."
	if err := settings.Parse(fs, args, out, about); err != nil {
		return c, err
	}
	return c, c.validate()
}

func (c *config) validate() error {
	if c.writeQuorum == 0 {
		c.writeQuorum = c.replicas/2 + 1
	}
	if c.readQuorum == 0 {
		c.readQuorum = c.replicas/2 + 1
	}
	switch {
	case c.replicas > 16:
		return fmt.Errorf("-replicas %d: want at most 16", c.replicas)
	case c.timeout < 10*time.Millisecond || c.timeout > time.Minute:
		return fmt.Errorf("-timeout %v: want 10ms to 1m", c.timeout)
	case c.maxValue > 64<<20:
		return fmt.Errorf("-max-value %v: want at most 64MiB", &c.maxValue)
	case c.maxInflight < c.maxValue:
		return fmt.Errorf("-max-inflight %v is below -max-value %v: no such value could ever be stored", &c.maxInflight, &c.maxValue)
	}
	err := errors.Join(
		settings.CheckListen(c.addr),
		settings.CheckService("service", c.service),
		settings.CheckDial("nodes", c.nodes...),
		coordinator.CheckQuorums(c.replicas, c.writeQuorum, c.readQuorum),
		c.log.Check(),
	)
	if c.advertise != "" {
		err = errors.Join(err, settings.CheckDial("advertise", c.advertise))
	}
	return err
}

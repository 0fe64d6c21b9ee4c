package main

import (
	"errors"
	"flag"
	"fmt"
	"io"
	"net"
	"regexp"
	"strings"
	"time"

	"ringkv/gateway/coordinator"
	"ringkv/gateway/settings"
	"ringkv/hashring/placement"
)

// config is what the flags and their environment twins say.
type config struct {
	addr, advertise string
	id, data, store string
	replicas        int
	nodes           settings.List // a fixed ring in place of Consul

	service, zone string
	tags          settings.List
	weight        int
	checkInterval time.Duration
	checkTimeout  time.Duration

	destroy  string
	maxValue settings.Bytes
	maxSkew  time.Duration
	moveRate rate

	rebalanceAfter time.Duration
	log            settings.Log
}

// parseConfig reads the flags. It returns flag.ErrHelp after writing the usage to out if that is what was asked for.
func parseConfig(args []string, out io.Writer) (config, error) {
	c := config{maxValue: 1 << 20, moveRate: 20 << 20}
	fs := flag.NewFlagSet("kvnode", flag.ContinueOnError)
	fs.StringVar(&c.addr, "addr", ":5000", "HTTP listen `address`")
	fs.StringVar(&c.advertise, "advertise", "", "`host:port` that Consul and the other nodes use; found from -addr and the host if empty")
	fs.StringVar(&c.id, "id", "", "node `id`, unique in the cluster; made once and kept in the data directory if empty")
	fs.StringVar(&c.data, "data", "", "data `directory`, locked while in use; ./data/<port> if empty")
	fs.StringVar(&c.store, "store", "json", "storage `engine`: json, or memory (each start is then a new node, and holds nothing)")
	fs.IntVar(&c.replicas, "replicas", 3, "`copies` of each key, the same on all nodes and gateways; each one more is written and kept once more")
	fs.Var(&c.nodes, "nodes", "`host:port,...` of all nodes, this one included: a fixed ring without Consul")
	fs.StringVar(&c.service, "service", "ringkv-node", "`name` of the nodes' service in Consul; it names the cluster")
	fs.Var(&c.tags, "tags", "`tag,...` to register with in Consul")
	fs.StringVar(&c.zone, "zone", "", "`name` of the zone this node stands in; copies go to distinct zones as far as there are any")
	fs.IntVar(&c.weight, "weight", 1, "this node's share of the ring, by `weight` among the others'; more brings more data and requests here")
	fs.DurationVar(&c.checkInterval, "check-interval", time.Second, "`time` between the health checks that Consul runs; raising it leaves a dead node in the ring for longer")
	fs.DurationVar(&c.checkTimeout, "check-timeout", 500*time.Millisecond, "`time` after which a check counts as failed; raising it leaves a hung node in the ring for longer")
	fs.StringVar(&c.destroy, "destroy", "loopback", "`who` may call /destroy: loopback, any or off")
	fs.Var(&c.maxValue, "max-value", "largest value, in `bytes` such as 1MiB, the same on all nodes and gateways, and never less than what is stored, as that could be read no more; a request may take that much memory on each of them")
	fs.DurationVar(&c.maxSkew, "max-clock-skew", 5*time.Second, "how far, in `time`, a write's version may be ahead of this node's clock; raising it lets clocks that run away take others along")
	fs.DurationVar(&c.rebalanceAfter, "rebalance-after", time.Minute, "`time` that a node may fail its checks before its slots get another copy elsewhere; raising it moves less data, and leaves slots a copy short for longer")
	fs.Var(&c.moveRate, "move-rate", "`bytes` a second, such as 20MiB/s, that this node fetches from others when its share of the ring changes; raising it settles sooner, and slows requests meanwhile")
	c.log.Flags(fs)
	const about = "kvnode is a node of ringkv: it keeps its share of the keys, and answers requests for all of them."
	if err := settings.Parse(fs, args, out, about); err != nil {
		return c, err
	}
	return c, c.validate()
}

// rate is a number of bytes a second, given as 20MiB/s or 20MiB.
type rate settings.Bytes

// String implements flag.Value.
func (r *rate) String() string { return (*settings.Bytes)(r).String() + "/s" }

// Set implements flag.Value.
func (r *rate) Set(text string) error {
	return (*settings.Bytes)(r).Set(strings.TrimSuffix(text, "/s"))
}

var idForm = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9._-]{0,62}$`)

func (c *config) validate() error {
	switch {
	case c.replicas > 16:
		return fmt.Errorf("-replicas %d: want at most 16", c.replicas)
	case c.id != "" && !idForm.MatchString(c.id):
		return fmt.Errorf("-id %q: want letters, digits, dots, dashes and underscores, 63 at most", c.id)
	case c.id != "" && len(c.nodes) > 0:
		return errors.New("-id and -nodes exclude each other: with a fixed list, a node's id is its entry there")
	case (placement.Node{ID: "any", Weight: 1, Zone: c.zone}).Validate() != nil: // the keeper would leave this node out
		return fmt.Errorf("-zone %.64q: want printable text, 255 bytes at most", c.zone)
	case c.store != "json" && c.store != "memory":
		return fmt.Errorf("-store %q: want json or memory", c.store)
	case c.weight < 1 || c.weight > 65535:
		return fmt.Errorf("-weight %d: want 1 to 65535", c.weight)
	case c.checkInterval < time.Second:
		return fmt.Errorf("-check-interval %v: want at least 1s, Consul checks no faster", c.checkInterval)
	case c.checkTimeout <= 0:
		return fmt.Errorf("-check-timeout %v: want more than 0", c.checkTimeout)
	case c.destroy != "loopback" && c.destroy != "any" && c.destroy != "off":
		return fmt.Errorf("-destroy %q: want loopback, any or off", c.destroy)
	case c.maxValue > 64<<20:
		return fmt.Errorf("-max-value %v: want at most 64MiB", &c.maxValue)
	case c.rebalanceAfter < time.Second:
		return fmt.Errorf("-rebalance-after %v: want at least 1s, and longer than a restart takes", c.rebalanceAfter)
	case c.maxSkew <= 0:
		return fmt.Errorf("-max-clock-skew %v: want more than 0", c.maxSkew)
	}
	err := errors.Join(
		settings.CheckListen(c.addr),
		settings.CheckService("service", c.service),
		settings.CheckDial("nodes", c.nodes...),
		coordinator.CheckQuorums(c.replicas, c.replicas/2+1, c.replicas/2+1),
		c.log.Check(),
	)
	if c.advertise != "" {
		err = errors.Join(err, settings.CheckDial("advertise", c.advertise))
	}
	if _, port, perr := net.SplitHostPort(c.addr); perr == nil && c.data == "" {
		c.data = "data/" + port
	}
	return err
}

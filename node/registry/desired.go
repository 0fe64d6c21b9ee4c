package registry

import (
	"errors"
	"fmt"
	"maps"
	"net"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/hashicorp/consul/api"
)

const (
	ttl          = "15s" // of the TTL check: three heartbeats
	minReapAfter = 10 * time.Minute
)

// Desired is what should stand in Consul. It doesn't change while the program runs.
type Desired struct {
	Service  string // name that all instances share, such as ringkv-node
	ID       string // of this instance; the same over restarts
	Addr     string // host:port that peers dial
	Tags     []string
	Meta     map[string]string // nothing that changes by itself: each change wakes everyone who watches
	Weight   int               // share of the ring; default 1
	Interval time.Duration     // of the HTTP check, at least 1 s; default 1 s
	Timeout  time.Duration     // of the HTTP check; default 500 ms
	// CheckAddr is host:port of /health-check as the agent sees it; default Addr.
	CheckAddr string
	// ReapAfter is how long an instance may fail before Consul forgets it; default 1 h, at least 10 min. It only tidies
	// up: a failing instance has long left the ring. Raising it shows dead instances for longer.
	ReapAfter time.Duration
}

// NodeMeta is the Meta of a node, shown in Consul's UI and read by package membership.
func NodeMeta(id, disk, store string, replicas, slots int, zone, version string) map[string]string {
	return map[string]string{
		"node_id":  id,
		"disk":     disk,
		"store":    store,
		"replicas": strconv.Itoa(replicas),
		"slots":    strconv.Itoa(slots),
		"zone":     zone,
		"version":  version,
	}
}

// ServiceID is what Consul's UI shows the instance as.
func (d Desired) ServiceID() string { return d.Service + "-" + d.ID }

func (d Desired) httpCheckID() string { return d.ServiceID() + ":http" }
func (d Desired) ttlCheckID() string  { return d.ServiceID() + ":ttl" }

func (d Desired) withDefaults() Desired {
	if d.Weight == 0 {
		d.Weight = 1
	}
	if d.Interval == 0 {
		d.Interval = time.Second
	}
	if d.Timeout == 0 {
		d.Timeout = 500 * time.Millisecond
	}
	if d.CheckAddr == "" {
		d.CheckAddr = d.Addr
	}
	if d.ReapAfter == 0 {
		d.ReapAfter = time.Hour
	}
	return d
}

// validate finds what Consul would refuse, or accept and then make something else of.
func (d Desired) validate() error {
	if err := checkName("service", d.Service); err != nil {
		return err
	}
	if err := checkName("id", d.ID); err != nil {
		return err
	}
	host, _, err := splitAddr(d.Addr)
	if err != nil {
		return err
	}
	if ip := net.ParseIP(host); ip != nil && ip.IsUnspecified() {
		return fmt.Errorf("address %s means every interface and can't be dialled: advertise one that peers reach", d.Addr)
	}
	if _, _, err := splitAddr(d.CheckAddr); err != nil {
		return err
	}
	switch {
	case d.Interval < time.Second:
		return fmt.Errorf("check interval %v is below 1s, Consul's least", d.Interval)
	case d.Timeout <= 0:
		return fmt.Errorf("check timeout %v is not positive", d.Timeout)
	case d.ReapAfter < minReapAfter:
		return fmt.Errorf("Consul may forget an instance after %v at the soonest, not %v", minReapAfter, d.ReapAfter)
	case d.Weight < 1 || d.Weight > 65535:
		return fmt.Errorf("weight %d is not between 1 and 65535", d.Weight)
	}
	return d.validateMeta()
}

func (d Desired) validateMeta() error {
	if len(d.Meta) > 64 {
		return errors.New("Consul takes no more than 64 meta entries")
	}
	for k, v := range d.Meta {
		if len(k) > 128 || len(v) > 512 {
			return fmt.Errorf("meta %s is longer than Consul takes (128 bytes for the name, 512 for the value)", k)
		}
	}
	return nil
}

// checkName allows what is safe unescaped in a path and in a filter.
func checkName(what, s string) error {
	const allowed = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_.:"
	if s == "" || len(s) > 128 || strings.Trim(s, allowed) != "" {
		return fmt.Errorf("%s %q is not 1 to 128 of letters, digits and -_.:", what, s)
	}
	return nil
}

func splitAddr(addr string) (host string, port int, err error) {
	host, text, err := net.SplitHostPort(addr)
	if err != nil || host == "" || strings.ContainsAny(host, "\"`\\ ") {
		return "", 0, fmt.Errorf("address %q is not host:port", addr)
	}
	port, err = strconv.Atoi(text)
	if err != nil || port < 1 || port > 65535 {
		return "", 0, fmt.Errorf("address %q has no port between 1 and 65535", addr)
	}
	return host, port, nil
}

// registration is d in Consul's terms (https://developer.hashicorp.com/consul/api-docs/agent/service).
func (d Desired) registration(ttlStatus string) *api.AgentServiceRegistration {
	host, port, _ := splitAddr(d.Addr) // was validated
	health := url.URL{Scheme: "http", Host: d.CheckAddr, Path: "/health-check", RawQuery: url.Values{"node": {d.ID}}.Encode()}
	reap := d.ReapAfter.String()
	return &api.AgentServiceRegistration{
		ID:      d.ServiceID(),
		Name:    d.Service,
		Address: host,
		Port:    port,
		Tags:    slices.Clone(d.Tags),
		Meta:    maps.Clone(d.Meta),
		Weights: &api.AgentWeights{Passing: d.Weight, Warning: 1},
		Checks: api.AgentServiceChecks{{
			CheckID: d.httpCheckID(),
			Name:    "HTTP /health-check",
			Notes: "Asked by this node's Consul agent. The first line of the output says what is wrong. " +
				"Refused or timed out: look whether the process runs at this address.",
			HTTP:                           health.String(),
			Interval:                       d.Interval.String(),
			Timeout:                        d.Timeout.String(),
			DeregisterCriticalServiceAfter: reap,
			// No initial status: it is critical until the agent has seen it serve.
		}, {
			CheckID:                        d.ttlCheckID(),
			Name:                           "Heartbeat",
			Notes:                          "Sent by the process every 5 s. Expired: the process hangs, or can't reach its Consul agent.",
			TTL:                            ttl,
			Status:                         ttlStatus,
			DeregisterCriticalServiceAfter: reap,
		}},
	}
}

// matches reports whether the agent's definition is d. Addresses that the agent adds by itself don't count.
func (d Desired) matches(s *api.AgentService) bool {
	host, port, _ := splitAddr(d.Addr)
	return s.ID == d.ServiceID() && s.Service == d.Service && s.Address == host && s.Port == port &&
		slices.Equal(slices.Sorted(slices.Values(s.Tags)), slices.Sorted(slices.Values(d.Tags))) &&
		maps.Equal(s.Meta, d.Meta) && s.Weights == (api.AgentWeights{Passing: d.Weight, Warning: 1}) &&
		!s.EnableTagOverride
}

package main

import (
	"context"
	"fmt"
	"log/slog"
	"net"
	"slices"
	"sync/atomic"

	consul "github.com/hashicorp/consul/api"
	"github.com/prometheus/client_golang/prometheus"
	"golang.org/x/sync/errgroup"

	"ringkv/gateway/settings"
	"ringkv/hashring"
	"ringkv/hashring/membership"
	"ringkv/hashring/placement"
	"ringkv/node/keeper"
	"ringkv/node/registry"
)

// A cluster is how this node knows the others, and they know it.
type cluster struct {
	source    *placement.Source
	registrar *registry.Registrar // nil with a fixed list
	keeper    *keeper.Keeper      // nil with a fixed list
	peers     peerClient
	draining  atomic.Bool
}

// nodeID returns the id that the flags give this node: its entry in a fixed list, else -id, which may be empty.
func nodeID(cfg config, addr net.Addr) (string, error) {
	if len(cfg.nodes) == 0 {
		return cfg.id, nil
	}
	_, port, err := net.SplitHostPort(addr.String())
	if err != nil {
		return "", err
	}
	return settings.InList(cfg.nodes, cfg.advertise, port)
}

// join makes the parts that follow the cluster and keep this node in it.
func join(ctx context.Context, cfg config, addr net.Addr, kept *storage, log *slog.Logger, metrics *prometheus.Registry) (*cluster, error) {
	c := &cluster{}
	opt := placement.SourceOptions{
		Service: cfg.service, Replicas: cfg.replicas, Memory: kept.memory(), Log: log, Metrics: metrics,
		Draining: c.draining.Load,
	}
	var err error
	if len(cfg.nodes) > 0 {
		c.source, err = placement.FromList(cfg.nodes, opt)
		return c, err
	}
	client, err := consul.NewClient(consul.DefaultConfig())
	if err != nil {
		return nil, fmt.Errorf("set up the Consul client from the CONSUL_ variables: %w", err)
	}
	if c.source, err = placement.FromConsul(client, opt); err != nil {
		return nil, err
	}
	c.peers = newPeerClient()
	if c.registrar, err = c.register(ctx, cfg, addr, kept, client, log); err != nil {
		return nil, err
	}
	c.keeper = keeper.New(keeper.Options{
		Lock:           keeper.NewConsulLock(client, keeper.LockKey(cfg.service), kept.id),
		Key:            keeper.NewConsulKey(client, placement.Key(cfg.service)),
		Members:        c.source.Members,
		Replicas:       cfg.replicas,
		RebalanceAfter: cfg.rebalanceAfter,
		Remembered:     c.peers.remembered,
		Progress:       c.peers.progress,
		Own:            c.document,
		LastOutage:     c.source.Outage,
		Log:            log,
		Metrics:        metrics,
	})
	return c, nil
}

func (c *cluster) register(ctx context.Context, cfg config, addr net.Addr, kept *storage, client *consul.Client, log *slog.Logger) (*registry.Registrar, error) {
	host, _, err := net.SplitHostPort(cfg.addr)
	if err != nil {
		return nil, err
	}
	_, port, err := net.SplitHostPort(addr.String())
	if err != nil {
		return nil, err
	}
	advertise, err := settings.Advertise(ctx, cfg.advertise, host, port, settings.AgentHost(client))
	if err != nil {
		return nil, err
	}
	if err := refuseDouble(ctx, kept.id, advertise, membership.NewConsulQuery(client, cfg.service), membership.NewHTTPProbe(), log); err != nil {
		return nil, err
	}
	tags := []string{version}
	if cfg.zone != "" {
		tags = append(tags, cfg.zone)
	}
	return registry.New(registry.NewAgent(client), registry.Desired{
		Service: cfg.service, ID: kept.id, Addr: advertise, Tags: append(tags, cfg.tags...),
		Meta:   registry.NodeMeta(kept.id, kept.diskID, cfg.store, cfg.replicas, hashring.Slots, cfg.zone, version),
		Weight: cfg.weight, Interval: cfg.checkInterval, Timeout: cfg.checkTimeout,
	}, registry.Options{Log: log, Seen: func() bool { return c.sees(kept.id) }})
}

// sees reports whether Consul lists the node of this id as passing, as far as this program knows.
func (c *cluster) sees(id string) bool {
	snap := c.source.Members.Snapshot()
	return snap != nil && slices.ContainsFunc(snap.Members, func(m membership.Member) bool { return m.ID == id })
}

// document returns the placement that this node remembers, nil for none.
func (c *cluster) document() *placement.Document {
	if snap := c.source.Documents.Snapshot(); snap != nil {
		return snap.Document
	}
	return nil
}

// lost reports whether an operator has given up the node of this storage, as far as this program knows.
func (c *cluster) lost(kept *storage) bool {
	doc := c.document()
	return doc != nil && c.keeper != nil && doc.IsLost(placement.Identity(kept.id, kept.diskID))
}

// Run follows the cluster until ctx is done.
func (c *cluster) Run(ctx context.Context) error {
	g, ctx := errgroup.WithContext(ctx)
	g.Go(func() error { return c.source.Run(ctx) })
	if c.registrar != nil {
		g.Go(func() error { return c.registrar.Run(ctx) })
		g.Go(func() error { return c.keeper.Run(ctx) })
	}
	return g.Wait()
}

// Leave takes the node out of Consul. Its place in the placement stays: a restart moves nothing.
func (c *cluster) Leave(ctx context.Context, log *slog.Logger) {
	c.draining.Store(true)
	if c.registrar == nil {
		return
	}
	if err := c.registrar.Drain(ctx); err != nil {
		log.Warn("Consul may list this node until its check has failed", "error", err)
	}
}

// fail takes the node out of the ring for a reason, or back in when there is none.
func (c *cluster) fail(reason string) {
	switch {
	case c.registrar == nil:
	case reason != "":
		c.registrar.Fail(reason)
	default:
		c.registrar.Recover()
	}
}

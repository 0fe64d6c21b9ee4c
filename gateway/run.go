package main

import (
	"context"
	"crypto/rand"
	"encoding/binary"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"os"
	"runtime/debug"
	"strings"
	"time"

	consul "github.com/hashicorp/consul/api"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"golang.org/x/sync/errgroup"

	"ringkv/gateway/api"
	"ringkv/gateway/coordinator"
	"ringkv/gateway/settings"
	"ringkv/hashring/placement"
	"ringkv/node/record"
	"ringkv/node/registry"
	"ringkv/node/wire"
)

const (
	maxConns     = 4096            // of clients, 20 KiB each when idle; beyond, the one idle for longest makes room
	maxSkew      = 5 * time.Second // how far ahead of this clock a version may be and still push it forward
	shutdownTime = 10 * time.Second
)

// run serves until ctx is done, or a part fails.
func run(ctx context.Context, cfg config, log *slog.Logger) (err error) {
	// Listen first: a port in use is the likeliest thing to be wrong, and the address is needed below.
	listener, err := net.Listen("tcp", cfg.addr)
	if err != nil {
		return fmt.Errorf("listen on -addr %s: %w", cfg.addr, err)
	}
	defer func() { // harmless once the HTTP server has closed it
		if cerr := listener.Close(); cerr != nil && !errors.Is(cerr, net.ErrClosed) {
			err = errors.Join(err, cerr)
		}
	}()
	spendMemory(int64(cfg.maxInflight))
	metrics := prometheus.NewRegistry()
	metrics.MustRegister(collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))

	g := &gateway{cfg: cfg, started: time.Now(), moves: newMoves(newNodeClient().standing)}
	source, registrar, err := g.join(ctx, listener.Addr(), log, metrics)
	if err != nil {
		return err
	}
	g.source = source
	pool := wire.NewPool(wire.PoolOptions{Replicas: cfg.replicas, Cluster: cfg.service, MaxValue: int(cfg.maxValue), Logger: log, Registerer: metrics})
	defer pool.Close()
	clock := record.NewClock(time.Now, randomWriter(), maxSkew)
	requests, err := coordinator.New(source.View, pool, clock, coordinator.Options{
		Replicas: cfg.replicas, WriteQuorum: cfg.writeQuorum, ReadQuorum: cfg.readQuorum, Timeout: cfg.timeout,
		Metrics: coordinator.NewMetrics(metrics),
	})
	if err != nil {
		return err
	}
	server := api.NewServer(api.New(g.routes(requests, metrics, log)), log)
	log.Info("gateway is serving", "addr", listener.Addr().String(), "id", g.id, "version", version)

	parts, partsCtx := errgroup.WithContext(context.WithoutCancel(ctx))
	background, stopBackground := context.WithCancel(partsCtx)
	defer stopBackground()
	parts.Go(func() error { return serve(server, api.NewListener(listener, maxConns)) })
	parts.Go(func() error { return source.Run(background) })
	if registrar != nil {
		parts.Go(func() error { return registrar.Run(background) })
	}
	select {
	case <-ctx.Done():
		log.Info("gateway is stopping")
	case <-partsCtx.Done(): // a part failed: Wait says how
	}

	// Out of Consul first, so that nobody is sent here any more; then the requests under way; then what they rest on.
	g.draining.Store(true)
	end, cancel := context.WithTimeout(context.WithoutCancel(ctx), shutdownTime)
	defer cancel()
	if registrar != nil {
		if err := registrar.Drain(end); err != nil {
			log.Warn("Consul may still list this gateway", "error", err)
		}
	}
	if err := server.Shutdown(end); err != nil {
		log.Warn("some requests were cut off", "error", err)
	}
	stopBackground()
	return parts.Wait()
}

// spendMemory lets the heap grow to five times what lives in it, not twice, before the garbage collector runs: what lives is small, and a tenth of a gateway's
// CPU goes into collecting otherwise. Values under way may take more, up to a limit near which it runs as often as it has to.
// GOGC and GOMEMLIMIT win (https://go.dev/doc/gc-guide).
func spendMemory(maxInflight int64) {
	if os.Getenv("GOGC") == "" {
		debug.SetGCPercent(400)
	}
	if os.Getenv("GOMEMLIMIT") == "" {
		debug.SetMemoryLimit(64<<20 + 2*maxInflight)
	}
}

func serve(server *http.Server, l net.Listener) error {
	if err := server.Serve(l); !errors.Is(err, http.ErrServerClosed) {
		return fmt.Errorf("serve HTTP: %w", err)
	}
	return nil
}

// join makes what follows the nodes, and what keeps this gateway registered: nil with a fixed list.
func (g *gateway) join(ctx context.Context, addr net.Addr, log *slog.Logger, metrics *prometheus.Registry) (*placement.Source, *registry.Registrar, error) {
	_, port, err := net.SplitHostPort(addr.String())
	if err != nil {
		return nil, nil, err
	}
	host, err := os.Hostname()
	if err != nil {
		return nil, nil, fmt.Errorf("find this host's name, which is part of the gateway's id: %w", err)
	}
	g.id = host + "-" + port
	opt := placement.SourceOptions{Service: g.cfg.service, Replicas: g.cfg.replicas, Log: log, Metrics: metrics, Draining: g.draining.Load}
	if len(g.cfg.nodes) > 0 {
		source, err := placement.FromList(g.cfg.nodes, opt)
		return source, nil, err
	}
	client, err := consul.NewClient(consul.DefaultConfig())
	if err != nil {
		return nil, nil, fmt.Errorf("set up the Consul client from CONSUL_ variables: %w", err)
	}
	source, err := placement.FromConsul(client, opt)
	if err != nil {
		return nil, nil, err
	}
	listenHost, _, err := net.SplitHostPort(g.cfg.addr)
	if err != nil {
		return nil, nil, err
	}
	advertise, err := settings.Advertise(ctx, g.cfg.advertise, listenHost, port, settings.AgentHost(client))
	if err != nil {
		return nil, nil, err
	}
	registrar, err := registry.New(registry.NewAgent(client), registry.Desired{
		Service: gatewayService(g.cfg.service), ID: g.id, Addr: advertise,
		Tags: []string{version},
		Meta: map[string]string{"node_id": g.id, "version": version},
	}, registry.Options{Log: log})
	return source, registrar, err
}

// gatewayService names the gateways' service after the nodes': ringkv-node has ringkv-gateway.
func gatewayService(nodes string) string {
	return strings.TrimSuffix(nodes, "-node") + "-gateway"
}

func randomWriter() uint64 {
	var b [8]byte
	rand.Read(b[:]) // never fails
	return binary.LittleEndian.Uint64(b[:])
}

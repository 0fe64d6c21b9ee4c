package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"os"
	"runtime"
	"syscall"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"golang.org/x/sync/errgroup"

	edge "ringkv/gateway/api"
	"ringkv/gateway/coordinator"
	"ringkv/node/api"
	"ringkv/node/replica"
	"ringkv/node/wire"
)

const (
	maxConns     = 2048 // of clients, peers and checks; beyond, the one idle for longest makes room
	shutdownTime = 15 * time.Second
)

// reserve returns memory that is to be kept and never touched, so that none of it is real. The garbage collector runs when the heap has grown to twice what
// lives in it; of a node with few keys that is 5 MiB, which a few hundred reads of large values fill. As this counts as living, it runs less than a third as
// often, for as much real memory at most (https://go.dev/doc/gc-guide). Where GOGC says how often, nothing is reserved.
func reserve() []byte {
	if os.Getenv("GOGC") != "" {
		return nil
	}
	return make([]byte, 12<<20)
}

// run serves until ctx is done, or a part fails.
func run(ctx context.Context, cfg config, log *slog.Logger) (err error) {
	defer runtime.KeepAlive(reserve()) // before anything else has used memory, so that this is fresh
	// The port and the data directory first: they are the likeliest to be wrong.
	listener, err := net.Listen("tcp", cfg.addr)
	if err != nil {
		return fmt.Errorf("listen on -addr %s: %w", cfg.addr, err)
	}
	defer closing(&err, "close the listener", listener.Close)
	id, err := nodeID(cfg, listener.Addr())
	if err != nil {
		return err
	}
	kept, err := openStorage(cfg, id, log)
	if err != nil {
		return err
	}
	defer closing(&err, "close the store", kept.Close)

	metrics := prometheus.NewRegistry()
	metrics.MustRegister(collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
	kept.register(metrics)
	cluster, err := join(ctx, cfg, listener.Addr(), kept, log, metrics)
	if err != nil {
		return err
	}
	pool := wire.NewPool(wire.PoolOptions{Replicas: cfg.replicas, Cluster: cfg.service, MaxValue: int(cfg.maxValue), Logger: log, Registerer: metrics})
	defer pool.Close()
	clock := newClock(cfg.maxSkew)
	data, err := replica.New(kept.Store, replica.Options{
		ID: kept.id, Disk: kept.placementDisk(cfg), MaxSkew: cfg.maxSkew, Clock: clock, Metrics: replica.NewMetrics(metrics),
		Log: log, View: cluster.source.View, Peers: pool, MoveRate: int(cfg.moveRate),
	})
	if err != nil {
		return err
	}
	carrier := &peers{here: kept.id, data: data, pool: pool}
	defer carrier.wait()
	requests, err := coordinator.New(cluster.source.View, carrier, clock, coordinator.Options{
		Replicas: cfg.replicas, Here: kept.id, Metrics: coordinator.NewMetrics(metrics),
	})
	if err != nil {
		return err
	}
	links := wire.NewServer(wire.ServerOptions{
		Node: kept.id, Replicas: cfg.replicas, Cluster: cfg.service, MaxValue: int(cfg.maxValue), Logger: log, Registerer: metrics,
	}, data)
	leaver, err := kept.leaver(cluster, log)
	if err != nil {
		return err
	}
	n := &node{cfg: cfg, started: time.Now(), kept: kept, data: data, cluster: cluster, leaver: leaver}
	n.register(metrics)
	server := edge.NewServer(api.New(n.routes(requests, links, metrics, log)), log)
	log.Info("node is serving", "id", kept.id, "addr", listener.Addr().String(), "store", cfg.store, "version", version)

	// The committer outlives everything that hands it work.
	parts, partsCtx := errgroup.WithContext(context.WithoutCancel(ctx))
	background, stopBackground := context.WithCancel(partsCtx)
	defer stopBackground()
	committing, stopCommitting := context.WithCancel(context.WithoutCancel(ctx))
	defer stopCommitting()
	parts.Go(func() error { return data.Run(committing) })
	parts.Go(func() error { return serve(server, edge.NewListener(listener, maxConns)) })
	parts.Go(func() error { return cluster.Run(background) })
	parts.Go(func() error { return data.Settle(background, cluster.source.Subscribe()) })
	parts.Go(func() error {
		return data.Upkeep(background, replica.UpkeepOptions{Rand: randomness(), Changed: cluster.source.Subscribe()})
	})
	parts.Go(func() error { return n.watchDisk(background, log) })
	parts.Go(func() error { return n.watchLost(background, cluster.source.Subscribe(), log) })
	parts.Go(func() error { return leaver.Run(background) })
	select {
	case <-ctx.Done():
		log.Info("node is stopping")
	case <-leaver.Left():
		log.Info("node has left the cluster for good")
	case <-partsCtx.Done(): // a part failed: Wait says how
	}

	// The mirror image. Out of Consul first, while still serving, so that gateways stop asking; then what is under way, from
	// the outside in; then what it rests on.
	end, cancel := context.WithTimeout(context.WithoutCancel(ctx), shutdownTime)
	defer cancel()
	cluster.Leave(end, log)
	if err := server.Shutdown(end); err != nil {
		log.Warn("some requests were cut off", "error", err)
	}
	if err := links.Shutdown(end); err != nil {
		log.Warn("some requests of gateways and peers were cut off", "error", err)
	}
	stopBackground()
	stopCommitting()
	return parts.Wait()
}

func serve(server *http.Server, l net.Listener) error {
	if err := server.Serve(l); !errors.Is(err, http.ErrServerClosed) {
		return fmt.Errorf("serve HTTP: %w", err)
	}
	return nil
}

// closing is deferred: it adds what close says to the error that run returns. What is closed already is no error.
func closing(err *error, what string, close func() error) {
	if cerr := close(); cerr != nil && !errors.Is(cerr, net.ErrClosed) {
		*err = errors.Join(*err, fmt.Errorf("%s: %w", what, cerr))
	}
}

// kill ends this process as a crash would: nothing is cleaned up, nobody is told.
func kill() {
	// The first process of a container survives its own SIGKILL, and no error says so (pid_namespaces(7)).
	if err := syscall.Kill(os.Getpid(), syscall.SIGKILL); err != nil || os.Getpid() == 1 {
		os.Exit(137)
	}
}

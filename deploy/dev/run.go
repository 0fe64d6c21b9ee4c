package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"time"
)

// run brings the cluster up, stays with it until a signal or until nothing is left of it, and takes it down.
func run(cfg config, w io.Writer, signals <-chan os.Signal) error {
	out := &terminal{w: w}
	probe := newProber()
	if cfg.await != "" {
		return await(cfg, probe, out, signals)
	}
	notes, err := openLedger(cfg.data)
	if err != nil {
		return err
	}
	defer closeLedger(notes, out)
	if err := clearTheWay(cfg, notes, out); err != nil {
		return err
	}
	g := newGroup(out, cfg.nodes+2)
	defer func() {
		g.stop(signals)
		noteChildren(notes, nil, out)
		out.printf("stopped\n")
	}()
	if err := bringUp(cfg, g, notes, probe, signals); err != nil {
		if errors.Is(err, errStopped) {
			return nil
		}
		return err
	}
	out.printf("%s", welcome(cfg))
	return attend(g, out, signals)
}

// clearTheWay ends what a killed run left, and makes sure of the data and the ports.
func clearTheWay(cfg config, notes *ledger, out *terminal) error {
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	ended, err := notes.endLeftovers(ctx, patience)
	if err != nil {
		return err
	}
	if ended > 0 {
		out.printf("ended %d processes that an earlier run had left\n", ended)
	}
	if err := cfg.fits(); err != nil {
		return err
	}
	// What was killed together with its run may need a moment to give its ports back.
	moment, cancel := context.WithTimeout(ctx, 2*time.Second)
	defer cancel()
	poll(moment, tryEvery, func() bool { err = cfg.free(); return err == nil })
	return err
}

// errStopped: a signal came before the cluster was ready.
var errStopped = errors.New("stopped before it was ready")

// bringUp starts Consul, the nodes and the gateway, in this order, and returns when all nodes serve, and a write and a read pass.
func bringUp(cfg config, g *group, notes *ledger, probe prober, signals <-chan os.Signal) error {
	ctx, cancel := context.WithTimeout(context.Background(), cfg.ready)
	defer cancel()
	if cfg.ownConsul() {
		consul, err := consulCommand(cfg)
		if err != nil {
			return err
		}
		if err := startNoted(g, notes, consul); err != nil {
			return err
		}
	}
	err := g.unlessExit(ctx, signals, func(ctx context.Context) error { return probe.awaitLeader(ctx, cfg.consul()) })
	if err != nil {
		return err
	}
	if err := startNoted(g, notes, nodeCommands(cfg)...); err != nil {
		return err
	}
	if err := startNoted(g, notes, gatewayCommand(cfg)); err != nil {
		return err
	}
	err = g.unlessExit(ctx, signals, func(ctx context.Context) error {
		return errors.Join(probe.awaitNodes(ctx, cfg), probe.awaitService(ctx, cfg.gateway()))
	})
	if err != nil && ctx.Err() != nil {
		return fmt.Errorf("not ready after %v: %w\n%s", cfg.ready, err, probe.report(cfg))
	}
	return err
}

func startNoted(g *group, notes *ledger, commands ...command) error {
	if err := g.start(commands...); err != nil {
		return err
	}
	return notes.write(g.alive())
}

// unlessExit returns what wait returns, unless a child ends or a signal comes first.
func (g *group) unlessExit(ctx context.Context, signals <-chan os.Signal, wait func(context.Context) error) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	var result error
	done := make(chan struct{})
	go func() {
		defer close(done)
		result = wait(ctx)
	}()
	var err error
	select {
	case <-done:
		return result
	case ch := <-g.exits:
		err = fmt.Errorf("%s ended before the cluster was ready: %s", ch.name, ch.reason())
	case <-signals:
		err = errStopped
	}
	cancel()
	<-done
	return err
}

// attend reports each child that ends, and returns on a signal or when no child is left.
func attend(g *group, out *terminal, signals <-chan os.Signal) error {
	for {
		select {
		case <-signals:
			out.printf("stopping: gateway, nodes, Consul (again to kill them at once)\n")
			return nil
		case ch := <-g.exits:
			out.printf("%s exited: %s; start it again with: %s\n", ch.name, ch.reason(), ch.line())
			if len(g.alive()) == 0 {
				return errors.New("nothing is left to run")
			}
		}
	}
}

// await is what `make up` uses: it waits for gateways that others started. errStopped if a signal comes first.
func await(cfg config, probe prober, out *terminal, signals <-chan os.Signal) error {
	ctx, cancel := context.WithTimeout(context.Background(), cfg.ready)
	defer cancel()
	nobody := newGroup(out, 0) // nothing was started that could end
	for gateway := range strings.SplitSeq(cfg.await, ",") {
		err := nobody.unlessExit(ctx, signals, func(ctx context.Context) error { return probe.awaitService(ctx, gateway) })
		switch {
		case errors.Is(err, errStopped):
			return err
		case err != nil:
			return fmt.Errorf("not ready after %v: %w\n  %s", cfg.ready, err, probe.state("http://"+gateway+"/readyz"))
		}
		out.printf("a write and a read pass through http://%s\n", gateway)
	}
	return nil
}

func noteChildren(notes *ledger, children []*child, out *terminal) {
	if err := notes.write(children); err != nil {
		out.printf("%v\n", err)
	}
}

func closeLedger(notes *ledger, out *terminal) {
	if err := notes.close(); err != nil {
		out.printf("unlock %s: %v\n", notes.path, err)
	}
}

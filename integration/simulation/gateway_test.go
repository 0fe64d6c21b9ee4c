package simulation

import (
	"context"
	"fmt"
	"log/slog"
	"time"

	"ringkv/gateway/coordinator"
	"ringkv/hashring/membership"
	"ringkv/hashring/placement"
	"ringkv/node/keeper"
	"ringkv/node/record"
)

// A gateway is one machine that keeps nothing.
type gateway struct {
	machine
	co     *coordinator.Coordinator // of the process that runs; guarded by machine.mu
	source *placement.Source
}

// start starts the gateway: what kvgateway's run does.
func (g *gateway) start() {
	w := g.w
	p := g.begin()
	purpose := fmt.Sprint("process ", g.name, p.life)
	cl := w.consul.client(p)
	source, err := placement.FromQueries(cl.members, w.probe(p), cl.placement, placement.SourceOptions{
		Replicas: replicas, Log: slog.New(slog.DiscardHandler), Random: w.random(purpose + " source").Float64,
	})
	if err != nil {
		w.fail("%s can't follow Consul: %v", g.name, err)
		return
	}
	clock := record.NewClock(g.now, w.random(purpose).Uint64(), maxSkew)
	co, err := coordinator.New(source.View, &peers{by: p, silent: map[string]bool{}}, clock, coordinator.Options{
		Replicas: replicas, Timeout: w.plan.timeout, Random: w.random(purpose + " coordinator").Float64, Metrics: w.metrics,
	})
	if err != nil {
		w.fail("%s can't coordinate: %v", g.name, err)
		return
	}
	g.mu.Lock()
	g.co, g.source = co, source
	g.mu.Unlock()
	w.trace.note(g.name, "starts, life %d", p.life)
	w.lives.Go(func() {
		if err := source.Run(p.ctx); err != nil {
			w.fail("%s: %v", g.name, err)
		}
	})
}

// answers reports whether the member serves when asked from a machine: at its address, under its id, on its disk.
func (w *world) answers(from string, m membership.Member) bool {
	n := w.node(m.ID)
	h := w.net.at(m.Addr)
	if h == nil || h.by.m != &n.machine || n.diskID() != m.Disk || !n.up() {
		return false
	}
	return w.net.connects(from, n.name)
}

// passes reports whether the member serves, and finds nothing wrong with itself.
func (w *world) passes(from string, m membership.Member) bool {
	if !w.answers(from, m) {
		return false
	}
	n := w.node(m.ID)
	parts := n.look()
	if parts == nil {
		return false
	}
	doc := parts.document()
	n.mu.Lock()
	defer n.mu.Unlock()
	return !parts.sick && (doc == nil || !doc.IsLost(placement.Identity(m.ID, m.Disk)))
}

// probe returns a membership.Probe of a process.
func (w *world) probe(by *process) membership.Probe { return w.asks(by, w.passes) }

// reach is how a process asks others for what they tell whatever their check says.
func (w *world) reach(by *process) membership.Probe { return w.asks(by, w.answers) }

func (w *world) asks(by *process, answers func(string, membership.Member) bool) membership.Probe {
	return func(ctx context.Context, m membership.Member) error {
		d, _, _ := w.net.travel(by.m.name, m.ID)
		if err := sleep(ctx, d); err != nil {
			return err
		}
		if !by.alive() || !answers(by.m.name, m) {
			return errAway
		}
		return nil
	}
}

// remembered returns how a process asks others what they remember.
func (w *world) remembered(by *process) func(context.Context, membership.Member) (*placement.Document, error) {
	return func(ctx context.Context, m membership.Member) (*placement.Document, error) {
		if err := w.reach(by)(ctx, m); err != nil {
			return nil, err
		}
		parts := w.node(m.ID).look()
		if parts == nil {
			return nil, errAway
		}
		doc := parts.document()
		return doc, sleep(ctx, 100*time.Microsecond)
	}
}

// progress returns how a process asks others how far they have come.
func (w *world) progress(by *process) func(context.Context, membership.Member) (keeper.Progress, error) {
	return func(ctx context.Context, m membership.Member) (keeper.Progress, error) {
		if err := w.reach(by)(ctx, m); err != nil {
			return keeper.Progress{}, err
		}
		parts := w.node(m.ID).look()
		if parts == nil {
			return keeper.Progress{}, errAway
		}
		p, ok := parts.data.Progress()
		if !ok {
			return keeper.Progress{}, errAway
		}
		return keeper.Progress(p), sleep(ctx, 100*time.Microsecond)
	}
}

// document returns the placement that the node remembers.
func (p *nodeParts) document() *placement.Document {
	if snap := p.source.Documents.Snapshot(); snap != nil {
		return snap.Document
	}
	return nil
}

package simulation

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"sync/atomic"
	"syscall"
	"time"

	"ringkv/gateway/coordinator"
	"ringkv/hashring"
	"ringkv/hashring/membership"
	"ringkv/hashring/placement"
	"ringkv/node/departure"
	"ringkv/node/keeper"
	"ringkv/node/record"
	"ringkv/node/replica"
	"ringkv/node/store"
	"ringkv/node/store/disk"
	"ringkv/node/store/disk/faulty"
	"ringkv/node/store/jsonstore"
)

const (
	replicas = 3
	maxSkew  = 5 * time.Second
)

// A node is one machine that keeps data.
type node struct {
	machine
	disk  atomic.Pointer[faulty.Disk]
	disks atomic.Int64 // so many disks it has had before this one
	eras  int          // so often its disk was damaged, or a slot was given up; guarded by world.mu
	port  atomic.Int64 // of its address, which may change with a restart

	// of the process that runs, nil while there is none; guarded by machine.mu
	parts *nodeParts
}

// nodeParts is what a node's process is made of.
type nodeParts struct {
	source *placement.Source
	data   *replica.Replica
	co     *coordinator.Coordinator
	store  store.Store
	keeper *keeper.Keeper
	leaver *departure.Leaver
	diskID string
	sick   bool          // its disk fails; guarded by machine.mu
	closed chan struct{} // when the store is closed
}

func (n *node) diskID() string { return fmt.Sprint("disk", n.disks.Load()) }

func (n *node) identityOn(disk int64) string {
	return placement.Identity(n.name, fmt.Sprint("disk", disk))
}
func (n *node) identity() string { return n.identityOn(n.disks.Load()) }

func (n *node) member() membership.Member {
	return membership.Member{
		Member: hashring.Member{ID: n.name, Weight: 1}, Disk: n.diskID(), Replicas: replicas, Addr: fmt.Sprint(n.name, ":", n.port.Load()),
	}
}

// look returns the parts of the process that runs, nil if none does.
func (n *node) look() *nodeParts {
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.running == nil {
		return nil
	}
	return n.parts
}

// start starts the node over what its disk holds.
func (n *node) start() {
	n.tryStart(func(err error) { n.w.fail("%s can't start: %v", n.name, err) })
}

// tryStart does what kvnode's run does. Where that ends with an error, the node is down again, and failed is called.
func (n *node) tryStart(failed func(error)) {
	p := n.begin()
	if err := n.run(p); err != nil {
		n.endOf(p)
		failed(err)
	}
}

func (n *node) run(p *process) error {
	w := n.w
	purpose := fmt.Sprint("process ", n.name, p.life)
	log := slog.New(slog.DiscardHandler)
	leaving := leavingFile{n.disk.Load()}
	asked, left, err := leaving.load()
	if err != nil {
		return err
	}
	if left { // its data directory is to be removed first
		n.retire()
		asked, leaving = false, leavingFile{n.disk.Load()}
	}
	disk, err := jsonstore.Open(n.disk.Load(), jsonstore.Options{Node: n.name, Disk: n.diskID(), Manual: true, SegmentBytes: w.plan.segment})
	if err != nil {
		return fmt.Errorf("open the store: %w", err)
	}
	st := newSlowStore(disk, p, w.random(purpose+" disk"))
	cl := w.consul.client(p)
	source, err := placement.FromQueries(cl.members, w.probe(p), cl.placement, placement.SourceOptions{
		Replicas: replicas, Memory: placementFile{n.disk.Load()}, Log: log, Random: w.random(purpose + " source").Float64,
	})
	if err != nil {
		return err
	}
	clock := record.NewClock(n.now, w.random(purpose).Uint64(), maxSkew)
	carrier := &peers{by: p, silent: map[string]bool{}}
	data, err := replica.New(st, replica.Options{
		ID: n.name, Disk: n.diskID(), MaxSkew: maxSkew, Now: n.now, Clock: clock, View: source.View, Peers: carrier, Only: w.plan.has,
	})
	if err != nil {
		return err
	}
	carrier.here = data
	co, err := coordinator.New(source.View, carrier, clock, coordinator.Options{
		Replicas: replicas, Timeout: w.plan.timeout, Here: n.name, Random: w.random(purpose + " coordinator").Float64, Metrics: w.metrics,
	})
	if err != nil {
		return err
	}
	k := keeper.New(keeper.Options{
		Lock: cl, Key: cl, Members: source.Members, Replicas: replicas, RebalanceAfter: w.plan.rebalance,
		Remembered: w.remembered(p), Progress: w.progress(p), Own: (&nodeParts{source: source}).document, LastOutage: source.Outage, Log: log, Random: w.random(purpose + " keeper").Float64,
	})
	parts := &nodeParts{source: source, data: data, co: co, store: disk, keeper: k, diskID: n.diskID(), closed: make(chan struct{})}
	parts.leaver = departure.New(departure.Options{
		ID: n.name, Disk: n.diskID(), Asked: asked, Remember: leaving.remember, Document: parts.document, Members: source.Members.Snapshot,
		Leave: k.Leave, Progress: w.progress(p), Log: log,
	})
	n.mu.Lock()
	n.parts = parts
	n.mu.Unlock()
	w.net.serve(n.member().Addr, p, data)
	w.trace.note(n.name, "starts, life %d, %s, at %s", p.life, n.diskID(), n.member().Addr)

	committing, stopCommitting := context.WithCancel(context.Background())
	settled, kept := source.Subscribe(), source.Subscribe()
	p.apart(
		func() error { return source.Run(p.ctx) },
		func() error { return k.Run(p.ctx) },
		func() error { return data.Settle(p.ctx, settled) },
		func() error {
			return data.Upkeep(p.ctx, replica.UpkeepOptions{
				Every: w.plan.upkeep, CollectAfter: w.plan.collect, Changed: kept, Rand: w.random(fmt.Sprint("upkeep ", n.name, p.life)),
			})
		},
		func() error { return n.register(p, cl) },
		func() error { return n.leave(p, parts.leaver) },
		func() error { return n.watchDisk(p, parts) },
	)
	w.lives.Go(func() {
		committed := make(chan error, 1)
		go func() { committed <- data.Run(committing) }()
		<-p.ctx.Done()
		p.work.Wait()
		stopCommitting()
		<-committed
		if err := disk.Close(); err != nil && !errors.Is(err, errDead) && !diskFault(err) {
			w.fail("%s can't close its store: %v", n.name, err)
		}
		close(parts.closed)
	})
	return nil
}

// diskFault reports whether err is one that a fault has put there.
func diskFault(err error) bool {
	return errors.Is(err, syscall.EIO) || errors.Is(err, syscall.ENOSPC) || errors.Is(err, store.ErrFailed)
}

// damage reports whether anything is known to be damaged of the slots that the run has.
func (p *nodeParts) damage(plan *plan) (damaged bool) {
	for slot := range hashring.Slots {
		if !plan.has(slot) {
			continue
		}
		err := p.store.Heads(slot, "", func(_ string, h store.Head) bool {
			damaged = damaged || h.Damaged
			return !damaged
		})
		if damaged = damaged || err != nil; damaged {
			break
		}
	}
	return damaged
}

// apart runs the parts of a process, each from a moment of its own on, so that no two of their timers ever go off together.
func (p *process) apart(parts ...func() error) {
	for i, part := range parts {
		p.work.Go(func() {
			if sleep(p.ctx, time.Duration(i)*1_234_567*time.Nanosecond) == nil {
				if err := part(); err != nil {
					p.m.w.fail("%s: %v", p.m.name, err)
				}
			}
		})
	}
}

// register keeps the node registered, as the registrar does.
func (n *node) register(p *process, cl *client) error {
	for {
		limited, cancel := context.WithTimeout(p.ctx, time.Second)
		if err := cl.there(limited); err == nil && p.alive() {
			n.w.consul.register(n.member())
		}
		cancel()
		if sleep(p.ctx, time.Second+exponential(cl.rng, 100*time.Millisecond)) != nil {
			return nil
		}
	}
}

// placementFile is where a node remembers the placement.
type placementFile struct{ disk disk.Disk }

// Load implements placement.Memory.
func (f placementFile) Load() (*placement.Document, error) {
	text, err := disk.ReadFile(f.disk, "placement.json", placement.MaxBytes)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	return placement.Parse(text)
}

// Save implements placement.Memory.
func (f placementFile) Save(d *placement.Document) error {
	text, err := d.Encode()
	if err != nil {
		return err
	}
	return disk.WriteFile(f.disk, "placement.json", text)
}

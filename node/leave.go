package main

import (
	"context"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"ringkv/hashring/membership"
	"ringkv/hashring/placement"
	"ringkv/node/keeper"
)

const (
	leaveEvery = time.Second // how often a node that leaves looks how far the others have come
	askAtOnce  = 16          // nodes asked at a time
)

// A leaving is how far a node has come in leaving for good.
type leaving struct {
	State      string   `json:"state"`                // "asked", "handing over" or "left"
	Generation uint64   `json:"generation,omitempty"` // of the placement that is without it
	Waiting    []string `json:"waiting"`              // nodes that don't hold yet all that they should
	Detail     string   `json:"detail"`               // the same as a sentence
}

// A leaver takes this node out of the cluster for good: out of the placement first; it then goes on serving those that take over
// what it held, until all of them have it.
type leaver struct {
	id, disk  string
	kept      *storage
	document  func() *placement.Document                                        // that this node goes by; nil while there is none
	members   func() *membership.Snapshot                                       // who passes; nil while it isn't known
	leave     func(ctx context.Context, id, disk string) error                  // keeper.Keeper.Leave
	progress  func(context.Context, membership.Member) (keeper.Progress, error) // of another node
	log       *slog.Logger
	requested chan struct{} // closed once the node was asked to leave
	left      chan struct{} // closed when it may stop

	mu sync.Mutex // guards at
	at *leaving   // nil while it wasn't asked to leave
}

// newLeaver returns the leaver of this node; one that was asked before a restart goes on.
func newLeaver(kept *storage, c *cluster, log *slog.Logger) (*leaver, error) {
	l := &leaver{
		id: kept.id, disk: kept.diskID, kept: kept, document: c.document, members: c.source.Members.Snapshot, log: log,
		requested: make(chan struct{}), left: make(chan struct{}),
	}
	if c.keeper != nil {
		l.leave, l.progress = c.keeper.Leave, c.peers.progress
	}
	before, err := kept.departing()
	if err == nil && before != nil {
		l.begin()
	}
	return l, err
}

// Ask makes the node leave; asked again it returns nil. What it returns an error for, it hasn't begun.
func (l *leaver) Ask() error {
	l.mu.Lock()
	asked := l.at != nil
	l.mu.Unlock()
	if asked {
		return nil
	}
	if err := l.kept.depart(departure{}); err != nil {
		return fmt.Errorf("remember in the data directory that this node leaves: %w", err)
	}
	l.log.Info("node leaves the cluster for good")
	l.begin()
	return nil
}

func (l *leaver) begin() {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.at == nil {
		l.at = &leaving{State: "asked", Waiting: []string{}, Detail: "the placement is about to be written without this node"}
		close(l.requested)
	}
}

// At returns how far the node has come, nil if it wasn't asked to leave.
func (l *leaver) At() *leaving {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.at
}

func (l *leaver) set(at leaving) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.at.Detail != at.Detail {
		l.log.Info("leaving", "state", at.State, "detail", at.Detail)
	}
	l.at = &at
}

// Left is closed when all others hold what they need: the node may stop.
func (l *leaver) Left() <-chan struct{} { return l.left }

// Run leaves once the node is asked to, until ctx is done; it returns nil then, and when the node may stop.
func (l *leaver) Run(ctx context.Context) error {
	select {
	case <-l.requested:
	case <-ctx.Done():
		return nil
	}
	ticker := time.NewTicker(leaveEvery)
	defer ticker.Stop()
	for {
		if l.step(ctx) {
			close(l.left)
			return nil
		}
		select {
		case <-ticker.C:
		case <-ctx.Done():
			return nil
		}
	}
}

// step does the next thing there is to do, and reports whether that was the last.
func (l *leaver) step(ctx context.Context) (done bool) {
	doc := l.document()
	if doc == nil || !doc.HasLeft(placement.Identity(l.id, l.disk)) {
		detail := "the placement has been written without this node"
		if err := l.leave(ctx, l.id, l.disk); err != nil {
			detail = "waits to be taken out of the placement: " + err.Error()
		}
		l.set(leaving{State: "asked", Waiting: []string{}, Detail: detail})
		return false
	}
	at := leaving{State: "handing over", Generation: doc.Generation, Waiting: l.behind(ctx, doc)}
	if len(at.Waiting) > 0 {
		at.Detail = fmt.Sprintf("%d of %d nodes don't hold yet all that generation %d gives them", len(at.Waiting), len(doc.Nodes), doc.Generation)
		l.set(at)
		return false
	}
	if err := l.kept.depart(departure{Left: true}); err != nil {
		at.Detail = "can't remember in the data directory that this node has left: " + err.Error()
		l.set(at)
		return false
	}
	l.set(leaving{State: "left", Generation: doc.Generation, Waiting: []string{}, Detail: "the others hold all that this node held"})
	return true
}

// behind returns the nodes of doc that have not said that they hold all that it gives them, those that don't pass included.
func (l *leaver) behind(ctx context.Context, doc *placement.Document) []string {
	snap := l.members()
	if snap == nil {
		snap = new(membership.Snapshot)
	}
	var mu sync.Mutex // guards settled
	settled := map[string]bool{}
	var asking sync.WaitGroup
	turns := make(chan struct{}, askAtOnce)
	for _, m := range snap.Members {
		if !doc.Has(m.ID, m.Disk) {
			continue
		}
		turns <- struct{}{}
		asking.Go(func() {
			defer func() { <-turns }()
			p, err := l.progress(ctx, m)
			mu.Lock()
			defer mu.Unlock()
			settled[m.ID] = err == nil && p.Settled(doc)
		})
	}
	asking.Wait()
	behind := []string{}
	for _, n := range doc.Nodes {
		if !settled[n.ID] {
			behind = append(behind, n.ID)
		}
	}
	return behind
}

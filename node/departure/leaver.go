// Package departure takes a node out of the cluster for good, once its operator asks for that.
package departure

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

// A Leaving is how far a node has come in leaving for good.
type Leaving struct {
	State      string   `json:"state"`                // "asked", "handing over" or "left"
	Generation uint64   `json:"generation,omitempty"` // of the placement that is without it
	Waiting    []string `json:"waiting"`              // nodes that don't hold yet all that they should
	Detail     string   `json:"detail"`               // the same as a sentence
}

// Options are what a Leaver works with; all but Leave and Progress are required.
type Options struct {
	ID, Disk string
	Asked    bool                                                              // it was asked before a restart
	Remember func(left bool) error                                             // keeps in the data directory that this node leaves, or has left
	Document func() *placement.Document                                        // that this node goes by; nil while there is none
	Members  func() *membership.Snapshot                                       // who passes; nil while it isn't known
	Leave    func(ctx context.Context, id, disk string) error                  // keeper.Keeper.Leave
	Progress func(context.Context, membership.Member) (keeper.Progress, error) // of another node
	Log      *slog.Logger
}

// A Leaver takes this node out of the cluster for good: out of the placement first; it then goes on serving those that take over
// what it held, until all of them have it. It is safe for concurrent use; Run must be running, once.
type Leaver struct {
	o         Options
	requested chan struct{} // closed once the node was asked to leave
	left      chan struct{} // closed when it may stop

	asking sync.Mutex // held by Ask
	mu     sync.Mutex // guards at
	at     *Leaving   // nil while it wasn't asked to leave
}

// New returns the leaver of a node; one that was asked before a restart goes on.
func New(o Options) *Leaver {
	l := &Leaver{o: o, requested: make(chan struct{}), left: make(chan struct{})}
	if o.Asked {
		l.begin()
	}
	return l
}

// Ask makes the node leave; asked again it returns nil. What it returns an error for, it hasn't begun.
func (l *Leaver) Ask() error {
	l.asking.Lock()
	defer l.asking.Unlock()
	if l.At() != nil {
		return nil
	}
	if err := l.o.Remember(false); err != nil {
		return fmt.Errorf("remember in the data directory that this node leaves: %w", err)
	}
	l.o.Log.Info("node leaves the cluster for good")
	l.begin()
	return nil
}

func (l *Leaver) begin() {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.at == nil {
		l.at = &Leaving{State: "asked", Waiting: []string{}, Detail: "the placement is about to be written without this node"}
		close(l.requested)
	}
}

// At returns how far the node has come, nil if it wasn't asked to leave.
func (l *Leaver) At() *Leaving {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.at
}

func (l *Leaver) set(at Leaving) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.at.Detail != at.Detail {
		l.o.Log.Info("leaving", "state", at.State, "detail", at.Detail)
	}
	l.at = &at
}

// Left is closed when all others hold what they need: the node may stop.
func (l *Leaver) Left() <-chan struct{} { return l.left }

// Run leaves once the node is asked to, until ctx is done; it returns nil then, and when the node may stop.
func (l *Leaver) Run(ctx context.Context) error {
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
func (l *Leaver) step(ctx context.Context) (done bool) {
	doc := l.o.Document()
	if doc == nil || !doc.HasLeft(placement.Identity(l.o.ID, l.o.Disk)) {
		detail := "the placement has been written without this node"
		if err := l.o.Leave(ctx, l.o.ID, l.o.Disk); err != nil {
			detail = "waits to be taken out of the placement: " + err.Error()
		}
		l.set(Leaving{State: "asked", Waiting: []string{}, Detail: detail})
		return false
	}
	at := Leaving{State: "handing over", Generation: doc.Generation, Waiting: l.behind(ctx, doc)}
	if len(at.Waiting) > 0 {
		at.Detail = fmt.Sprintf("%d of %d nodes don't hold yet all that generation %d gives them", len(at.Waiting), len(doc.Nodes), doc.Generation)
		l.set(at)
		return false
	}
	if err := l.o.Remember(true); err != nil {
		at.Detail = "can't remember in the data directory that this node has left: " + err.Error()
		l.set(at)
		return false
	}
	l.set(Leaving{State: "left", Generation: doc.Generation, Waiting: []string{}, Detail: "the others hold all that this node held"})
	return true
}

// behind returns the nodes of doc that have not said that they hold all that it gives them, those that don't pass included.
func (l *Leaver) behind(ctx context.Context, doc *placement.Document) []string {
	snap := l.o.Members()
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
			p, err := l.o.Progress(ctx, m)
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

package keeper

import (
	"context"
	"fmt"
	"sync"
	"time"

	"ringkv/hashring/membership"
	"ringkv/hashring/placement"
)

// look gathers what there is to know and acts on it once.
func (k *Keeper) look(ctx context.Context) error {
	snap := k.o.Members.Snapshot()
	if snap == nil {
		return nil
	}
	k.seen.update(snap, time.Now())
	own := k.o.Own() // before the key, which it may not be ahead of then
	value, modified, err := k.get(ctx)
	if err != nil {
		return err
	}
	s := &state{replicas: k.o.Replicas, rebalanceAfter: k.o.RebalanceAfter, own: own, outage: k.lastOutage(), passing: k.seen.passing, changed: k.seen.changed}
	if modified != 0 {
		if s.stored, err = placement.Parse(value); err != nil {
			k.report(fmt.Sprintf("the key holds no placement, put back what it held: %v", err))
			return nil
		}
	}
	s.away = k.away(s.stored)
	s.now = time.Now()
	if k.undecided(s) {
		if s.now.Sub(k.asked) < askEvery {
			return nil // what nodes said a moment ago may not hold any more
		}
		k.asked = s.now
		s.reports, s.progress = k.ask(ctx, snap.Members)
		s.stalled = k.stalled(s)
	}
	doc, why, ok := propose(s)
	k.doubt = !ok && s.doubt()
	k.noteStuck(!ok && s.due())
	if !ok {
		k.report(why)
		return nil
	}
	return k.write(ctx, doc, modified)
}

// away returns which nodes of d don't pass, and since when.
func (k *Keeper) away(d *placement.Document) map[string]time.Time {
	away := map[string]time.Time{}
	if d == nil {
		return away
	}
	for _, n := range d.Nodes {
		away[n.ID] = k.seen.awaySince(n.ID, n.Disk)
	}
	for _, c := range k.seen.passing {
		delete(away, c.ID)
	}
	return away
}

func (k *Keeper) noteStuck(stuck bool) {
	switch {
	case !stuck:
		k.stuck = time.Time{}
	case k.stuck.IsZero():
		k.stuck = time.Now()
	}
}

// undecided reports whether nodes have to be asked what they remember before anything is decided.
func (k *Keeper) undecided(s *state) bool {
	if s.uncertain() {
		return s.quiet() && (s.stored == nil || s.doubt())
	}
	return s.wanted().why != "" || k.doubt || s.doubt() || s.now.Sub(k.asked) >= auditEvery
}

func (k *Keeper) lastOutage() time.Time {
	if k.o.LastOutage != nil {
		if t := k.o.LastOutage(); t.After(k.outage) {
			return t
		}
	}
	return k.outage
}

// ask asks all members what they remember, and how far they have come. Those that don't answer aren't in the outcome.
func (k *Keeper) ask(ctx context.Context, members []membership.Member) (map[string]*placement.Document, map[string]Progress) {
	var mu sync.Mutex // guards reports and progress
	reports := make(map[string]*placement.Document, len(members))
	var progress map[string]Progress
	if k.o.Progress != nil {
		progress = make(map[string]Progress, len(members))
	}
	var asking sync.WaitGroup
	turns := make(chan struct{}, askAtOnce)
	for _, m := range members {
		turns <- struct{}{}
		asking.Go(func() {
			defer func() { <-turns }()
			ctx, cancel := context.WithTimeout(ctx, askTimeout)
			defer cancel()
			d, err := k.o.Remembered(ctx, m)
			if err != nil {
				k.o.Log.Debug("node doesn't say what it remembers", "node", m.ID, "error", err)
				return
			}
			p, err := k.progressOf(ctx, m)
			mu.Lock()
			defer mu.Unlock()
			reports[m.ID] = d
			if progress != nil && err == nil {
				progress[m.ID] = p
			}
		})
	}
	asking.Wait()
	return reports, progress
}

func (k *Keeper) progressOf(ctx context.Context, m membership.Member) (Progress, error) {
	if k.o.Progress == nil {
		return Progress{}, nil
	}
	p, err := k.o.Progress(ctx, m)
	if err != nil {
		k.o.Log.Debug("node doesn't say how far it has come", "node", m.ID, "error", err)
	}
	return p, err
}

// stalled reports whether the move into what is stored has not come on for long.
func (k *Keeper) stalled(s *state) bool {
	if s.stored == nil || s.progress == nil {
		return false
	}
	k.mu.Lock()
	defer k.mu.Unlock()
	return k.pace.stalled(s.stored.Generation, s.progress, s.now)
}

func (k *Keeper) get(ctx context.Context) ([]byte, uint64, error) {
	ctx, cancel := context.WithTimeout(ctx, callTimeout)
	defer cancel()
	return k.o.Key.Get(ctx)
}

// write sets doc in place of what was written at modified.
func (k *Keeper) write(ctx context.Context, doc *placement.Document, modified uint64) error {
	value, err := doc.Encode()
	if err != nil {
		k.report(err.Error())
		return nil
	}
	ctx, cancel := context.WithTimeout(ctx, callTimeout)
	defer cancel()
	written, err := k.o.Key.CompareAndSet(ctx, value, modified)
	switch {
	case err != nil:
		k.metrics.proposals.WithLabelValues("failed").Inc()
		return err
	case !written:
		k.metrics.proposals.WithLabelValues("overtaken").Inc()
		k.o.Log.Info("another placement was written first", "generation", doc.Generation)
	default:
		k.metrics.proposals.WithLabelValues("written").Inc()
		k.o.Log.Info("placement written", "generation", doc.Generation, "nodes", len(doc.Nodes), "why", doc.Why)
	}
	k.report("")
	return nil
}

package keeper

import (
	"context"
	"fmt"
	"time"

	"ringkv/hashring/placement"
)

// What an operator asks for doesn't need the lock: as with every keeper, the compare-and-set decides.

// A Refusal says why something that an operator asked for is not done.
type Refusal struct {
	Reason string // and what to do
	Later  bool   // it will be possible without anybody doing anything
}

func (r *Refusal) Error() string { return r.Reason }

func refuse(format string, args ...any) error { return &Refusal{Reason: fmt.Sprintf(format, args...)} }
func later(format string, args ...any) error {
	return &Refusal{Reason: fmt.Sprintf(format, args...), Later: true}
}

// operatorTries bounds how often a change is tried again on top of another that was written first.
const operatorTries = 3

// Leave takes the node of that id and disk out of the placement, so that the others take over what it holds; once only, and
// nil is returned again after that. The error is a *Refusal, or says why Consul could not be asked.
func (k *Keeper) Leave(ctx context.Context, id, disk string) error {
	return k.change(ctx, func(s *state) (*placement.Document, error) { return s.leave(id, disk) })
}

// MayLeave returns what Leave would, but for having to wait, and changes nothing.
func (k *Keeper) MayLeave(ctx context.Context, id, disk string) error {
	s, _, err := k.gather(ctx)
	if err != nil {
		return err
	}
	return s.mayLeave(id, disk)
}

// Lose gives up the nodes of these names for good, ids or identities; they must not pass. What that costs is in the Loss. Without
// write, nothing is changed. The error is a *Refusal, or says why Consul could not be asked.
func (k *Keeper) Lose(ctx context.Context, names []string, write bool) (*Loss, error) {
	if !write {
		s, _, err := k.gather(ctx)
		if err != nil {
			return nil, err
		}
		loss, _, err := s.lose(names)
		return loss, err
	}
	var loss *Loss
	err := k.change(ctx, func(s *state) (doc *placement.Document, err error) {
		loss, doc, err = s.lose(names)
		return doc, err
	})
	if err != nil {
		return nil, err
	}
	loss.Written = true
	return loss, nil
}

// change writes what decide makes of the state; nothing if that is nil.
func (k *Keeper) change(ctx context.Context, decide func(*state) (*placement.Document, error)) error {
	for range operatorTries {
		s, modified, err := k.gather(ctx)
		if err != nil {
			return err
		}
		doc, err := decide(s)
		if err != nil || doc == nil {
			return err
		}
		value, err := doc.Encode()
		if err != nil {
			return err
		}
		if written, err := k.set(ctx, value, modified); err != nil || written {
			if err == nil {
				k.o.Log.Info("placement written", "generation", doc.Generation, "nodes", len(doc.Nodes), "why", doc.Why)
			}
			return err
		}
	}
	return later("other placements were written first, %d times: ask again", operatorTries)
}

func (k *Keeper) set(ctx context.Context, value []byte, modified uint64) (bool, error) {
	ctx, cancel := context.WithTimeout(ctx, callTimeout)
	defer cancel()
	return k.o.Key.CompareAndSet(ctx, value, modified)
}

// gather is what look gathers, asked of all at once. How long nodes have passed isn't known: they count.
func (k *Keeper) gather(ctx context.Context) (*state, uint64, error) {
	snap := k.o.Members.Snapshot()
	if snap == nil {
		return nil, 0, later("it isn't known yet which nodes pass: is Consul reachable?")
	}
	own := k.o.Own()
	value, modified, err := k.get(ctx)
	if err != nil {
		return nil, 0, err
	}
	s := &state{replicas: k.o.Replicas, own: own}
	if k.o.LastOutage != nil {
		s.outage = k.o.LastOutage()
	}
	for _, m := range snap.Members {
		s.passing = append(s.passing, candidate{Member: m})
	}
	if modified != 0 {
		if s.stored, err = placement.Parse(value); err != nil {
			return nil, 0, refuse("the key in Consul holds no placement, put back what it held: %v", err)
		}
	}
	s.reports, s.progress = k.ask(ctx, snap.Members)
	s.now = time.Now()
	s.stalled = k.stalled(s)
	return s, modified, nil
}

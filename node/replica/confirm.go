package replica

import (
	"context"
	"errors"
	"sync"
	"sync/atomic"

	"golang.org/x/sync/errgroup"

	"ringkv/hashring"
	"ringkv/hashring/placement"
)

const (
	confirmAbreast = 32           // slots asked about at a time
	confirmTime    = pullPatience // for one slot
)

var errDiffers = errors.New("the others hold something else")

// confirmAll settles the slots that this node held before, where the others hold the same. To ask and to say so costs next to nothing, so many slots share a sync
// and a request; and until it is done, every request for such a slot has to fetch its key. Slots that are written to meanwhile are asked about again, as long as
// that settles most of them.
//
// Who is silent here is so for these questions only: they are many at the same time, so that some of them are lost with whoever dies just then, and they are
// given up early. All that is left is asked again when the slot has its turn.
func (r *Replica) confirmAll(ctx context.Context, view *placement.View) error {
	silent := &silence{}
	for before := hashring.Slots; ; {
		left, err := r.confirm(ctx, view, silent)
		if err != nil || left == 0 || left > before/2 {
			return err
		}
		before = left
	}
}

// confirm asks about each of them once, and returns in how many others held something else, or did not say. A node that was away finds that nearly everywhere, and
// ends this soon.
func (r *Replica) confirm(ctx context.Context, view *placement.View, silent *silence) (int, error) {
	var asked, differ atomic.Int64
	var g errgroup.Group
	g.SetLimit(confirmAbreast)
	for slot := range hashring.Slots {
		config, s := r.toSettle(slot, view), r.slots[slot].Load()
		if config == nil || s == nil || s.Settled == nil || !s.Settled.Owns(r.self) {
			continue
		}
		if n := differ.Load(); n > confirmAbreast && n > asked.Load()/2 {
			break
		}
		g.Go(func() error {
			asked.Add(1)
			if err := r.settle(ctx, slot, config, silent, true); err != nil {
				differ.Add(1) // what it is shows when the slot has its turn
			}
			return ctx.Err()
		})
	}
	if err := g.Wait(); err != nil {
		return 0, err
	}
	return int(differ.Load()), nil
}

// silence is who has not answered. The zero silence is empty, nil stays so; it is safe for concurrent use.
type silence struct{ identities sync.Map }

func (s *silence) note(identity string) {
	if s != nil {
		s.identities.Store(identity, nil)
	}
}

func (s *silence) has(identity string) bool {
	if s == nil {
		return false
	}
	_, silent := s.identities.Load(identity)
	return silent
}

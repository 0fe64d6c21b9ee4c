package main

import (
	"context"
	"math"
	"slices"
	"sync"
	"time"

	"ringkv/gateway/api"
	"ringkv/hashring/placement"
)

const (
	moveFresh   = time.Second            // an answer about the move is given again for this long, however often it's asked for
	moveTimeout = 500 * time.Millisecond // for the answers of all nodes
	moveAtOnce  = 16                     // nodes asked at a time
)

// A standing is how far a node says it has come with the placement.
type standing struct {
	Generation uint64 `json:"generation"`       // that it goes by
	Unsettled  int    `json:"slots_unsettled"`  // slots that it should hold and doesn't hold everything of
	Oldest     uint64 `json:"oldest_unsettled"` // the oldest generation that it is on its way into; Generation if it is in none
}

// into returns the oldest generation that the node has yet to hold everything of.
func (s standing) into() uint64 {
	if s.Unsettled == 0 {
		return s.Generation + 1
	}
	return s.Oldest
}

// moves knows the move under way. Only the nodes do, so they are asked, when somebody wants to know.
type moves struct {
	ask func(ctx context.Context, node placement.RingNode) (standing, error)

	turn chan struct{} // held while nodes are asked, so that those who come meanwhile get the same answer; guards the rest
	view *placement.View
	at   time.Time // of last
	last *api.Move
}

func newMoves(ask func(context.Context, placement.RingNode) (standing, error)) *moves {
	return &moves{ask: ask, turn: make(chan struct{}, 1)}
}

// of returns the move into the placement of view, nil if there is none. A placement that never changed needs none.
func (m *moves) of(ctx context.Context, view *placement.View) *api.Move {
	if len(view.Document().Log) == 0 {
		return nil
	}
	select {
	case m.turn <- struct{}{}: // for no longer than moveTimeout each, of those who came before with views of their own
	case <-ctx.Done():
		return nil // nobody reads the answer
	}
	defer func() { <-m.turn }()
	if m.view != view || time.Since(m.at) >= moveFresh {
		standings := m.askAll(ctx, view.Nodes())
		m.view, m.at, m.last = view, time.Now(), moveOf(view, standings)
	}
	return m.last
}

// askAll asks all nodes. Those that don't answer in time aren't in the outcome.
func (m *moves) askAll(ctx context.Context, nodes []placement.RingNode) map[string]standing {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), moveTimeout) // others wait for the same answer
	defer cancel()
	var mu sync.Mutex // guards out
	out := make(map[string]standing, len(nodes))
	var asking sync.WaitGroup
	turns := make(chan struct{}, moveAtOnce)
	for _, n := range nodes {
		turns <- struct{}{}
		asking.Go(func() {
			defer func() { <-turns }()
			s, err := m.ask(ctx, n)
			if err != nil {
				return // it is shown as one that is waited for
			}
			mu.Lock()
			defer mu.Unlock()
			out[n.ID] = s
		})
	}
	asking.Wait()
	return out
}

// moveOf returns the move into the placement of view as the nodes tell of it, nil if all that pass hold everything.
func moveOf(view *placement.View, standings map[string]standing) *api.Move {
	doc := view.Document()
	move := &api.Move{To: doc.Generation, Why: doc.Why, Waiting: []string{}}
	oldest := doc.Generation
	for _, n := range view.Nodes() {
		s, answered := standings[n.ID]
		if answered && s.Generation >= doc.Generation && s.Unsettled == 0 {
			continue
		}
		move.Waiting = append(move.Waiting, n.ID)
		if answered {
			oldest = min(oldest, s.into())
		}
	}
	if len(move.Waiting) == 0 {
		return nil
	}
	move.From = max(oldest, 1) - 1
	copies := map[string]int{} // by node: of slots whose owners changed since
	for slot := range doc.Slots {
		if view.Config(slot).Generation < oldest {
			continue
		}
		for _, o := range view.Owners(slot) {
			if o.Passing {
				copies[o.ID]++
				move.Slots++
			}
		}
	}
	move.Settled = move.Slots
	for _, id := range move.Waiting {
		if s, answered := standings[id]; answered && s.Generation >= doc.Generation {
			move.Settled -= min(s.Unsettled, copies[id])
		} else {
			move.Settled -= copies[id]
		}
	}
	if move.Slots > 0 {
		move.Progress = math.Floor(1000*float64(move.Settled)/float64(move.Slots)) / 1000
	}
	slices.Sort(move.Waiting)
	return move
}

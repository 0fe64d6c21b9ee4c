package keeper

import (
	"time"

	"ringkv/hashring/placement"
)

// A Progress is how far a node has come with what the placement gives it.
type Progress struct {
	Generation uint64 `json:"generation"`       // of the placement that it goes by
	Owned      int    `json:"slots_owned"`      // slots that it should hold a copy of
	Unsettled  int    `json:"slots_unsettled"`  // of those: it doesn't hold everything of them yet
	Oldest     uint64 `json:"oldest_unsettled"` // the oldest generation that it is on its way into; Generation if it is in none
	Fetched    int64  `json:"bytes_fetched"`    // from others since it started
	Promised   uint64 `json:"promised"`         // no generation up to this one can be written anew: slots may have promised another
}

// Settled reports whether the node holds everything that d gives it. What it says while it goes by a later generation is no answer: a
// slot that it doesn't own any more may have another owner, who said so of the earlier one.
func (p Progress) Settled(d *placement.Document) bool {
	return p.Generation == d.Generation && p.Unsettled == 0
}

// moving returns the nodes of the stored placement that pass and don't hold yet what it gives them. Those that are away
// aren't waited for: either they come back, or a generation without them follows.
func (s *state) moving() []string {
	var ids []string
	for _, c := range s.passing {
		if s.stored.Has(c.ID, c.Disk) && !s.hasSettled(c.ID) {
			ids = append(ids, c.ID)
		}
	}
	return ids
}

func (s *state) hasSettled(id string) bool {
	p, ok := s.progress[id]
	return ok && p.Settled(s.stored)
}

// held reports whether w waits for the move under way: one change at a time moves each slot once. It is a habit and no
// condition of safety, so nothing waits for a move that doesn't come on, and copies that are missing wait for none.
func (s *state) held(w wish) bool {
	return s.progress != nil && !w.urgent && !s.stalled && len(s.moving()) > 0
}

// trimmed returns the stored placement without the generations in its log that nobody needs any more: when all its nodes hold everything of
// it, those before the oldest of its configs. No config becomes another by that.
func (s *state) trimmed() (*placement.Document, error) {
	for _, n := range s.stored.Nodes {
		if !s.hasSettled(n.ID) {
			return s.stored, nil
		}
	}
	configs, err := s.stored.Configs()
	if err != nil {
		return nil, err
	}
	lowest := s.stored.Generation
	for _, c := range configs {
		lowest = min(lowest, c.Generation)
	}
	return s.stored.Trim(lowest), nil
}

// stallAfter is how long a move that doesn't come on holds anything back: longer than it takes to fetch one lot of records.
const stallAfter = 30 * time.Second

// A pace knows since when the move into a generation has not come on. The zero pace has seen none.
type pace struct {
	generation uint64
	unsettled  int   // fewest so far
	fetched    int64 // most so far
	since      time.Time
}

// stalled takes in how far the nodes have come at now.
func (p *pace) stalled(generation uint64, progress map[string]Progress, now time.Time) bool {
	unsettled, fetched := 0, int64(0)
	for _, at := range progress {
		unsettled += at.Unsettled
		fetched += at.Fetched
	}
	switch {
	case p.since.IsZero() || p.generation != generation:
		*p = pace{generation, unsettled, fetched, now}
	case unsettled < p.unsettled || fetched > p.fetched:
		*p = pace{generation, min(p.unsettled, unsettled), max(p.fetched, fetched), now}
	}
	return now.Sub(p.since) >= stallAfter
}

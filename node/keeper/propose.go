package keeper

import (
	"cmp"
	"fmt"
	"time"

	"ringkv/hashring/membership"
	"ringkv/hashring/placement"
)

const (
	settle   = 2 * time.Second  // how long a node passes before it counts: nodes started together come in together
	patience = 10 * time.Second // how long a node that is ready waits for others that have only just come
	calm     = time.Minute      // how long nothing is changed after Consul was out of reach
	hush     = 5 * time.Second  // how long what it has lost isn't written again after that, or after a node came or went
)

// A candidate is a node that passes.
type candidate struct {
	membership.Member
	since time.Time // when it was first seen passing, on this disk
}

// A state is all that a decision depends on.
type state struct {
	now            time.Time
	replicas       int                            // that this program was started with
	rebalanceAfter time.Duration                  // how long a node may be away before others take its place; 0: for ever
	away           map[string]time.Time           // by id of a node of stored that doesn't pass: since when
	outage         time.Time                      // when Consul was last found out of reach; zero if never
	changed        time.Time                      // when the set of passing nodes last changed
	passing        []candidate                    // sorted by id
	stored         *placement.Document            // what Consul holds; nil if the key does not exist
	own            *placement.Document            // what this node remembers; nil if nothing
	reports        map[string]*placement.Document // by id of a passing node that has answered: what it remembers; nil if nothing
	progress       map[string]Progress            // by id of a passing node that has answered: how far it has come; nil if nobody was asked
	stalled        bool                           // the move under way has not come on for long
}

// propose returns the document to write in place of s.stored and ok, or why there is none: empty if there is nothing to do.
func propose(s *state) (doc *placement.Document, why string, ok bool) {
	newest, _ := s.newest()
	var err error
	switch {
	case s.uncertain() && !s.forgotten(newest):
		why = fmt.Sprintf("Consul was out of reach within the last %v", calm)
	case newest == nil:
		doc, why, err = s.begin()
	case newest.Replicas != s.replicas:
		why = fmt.Sprintf("-replicas is %d here and %d in the placement: start this node with -replicas %d", s.replicas, newest.Replicas, newest.Replicas)
	case s.doubt():
		doc, why, err = s.restore(newest)
	default:
		doc, why, err = s.change()
	}
	if err != nil {
		return nil, fmt.Sprintf("no next placement: %v", err), false
	}
	return doc, why, doc != nil
}

// due reports whether a keeper could have something to propose, be it possible to this one or not.
func (s *state) due() bool {
	wish := s.wanted()
	newest, _ := s.newest()
	misfit := newest != nil && newest.Replicas != s.replicas
	return len(s.passing) > 0 && !s.uncertain() && (wish.why != "" && !s.held(wish) || misfit || s.doubt())
}

// begin proposes generation 0.
func (s *state) begin() (*placement.Document, string, error) {
	var nodes []placement.Node
	var ids, silent []string
	for _, c := range s.passing {
		if _, answered := s.reports[c.ID]; !answered {
			silent = append(silent, c.ID)
		}
		if s.fit(c) {
			nodes, ids = append(nodes, nodeOf(c)), append(ids, c.ID)
		}
	}
	switch {
	case len(nodes) == 0:
		return nil, cmp.Or(s.leftOut(), "no node passes yet"), nil
	case s.now.Sub(s.changed) < settle:
		return nil, "the first nodes are coming up", nil
	case len(silent) > 0:
		return nil, "not known whether these nodes remember a placement: " + names(silent), nil
	}
	why := "first nodes: " + names(ids)
	doc, err := placement.First(nodes, s.replicas, why)
	return doc, why, err
}

// change proposes what the passing nodes ask for.
func (s *state) change() (*placement.Document, string, error) {
	wish := s.wanted()
	if wish.why == "" {
		return nil, s.leftOut(), nil
	}
	if missing := s.missing(s.stored); 2*len(missing) > len(s.stored.Nodes) {
		return nil, fmt.Sprintf("held back (%s) while more than half of the placement is missing: %s", wish.why, names(missing)), nil
	}
	if s.held(wish) {
		return nil, fmt.Sprintf("held back (%s) until generation %d has settled: waiting for %s", wish.why, s.stored.Generation, names(s.moving())), nil
	}
	base, err := s.trimmed()
	if err != nil {
		return nil, wish.why, err
	}
	doc, err := placement.Next(base, wish.nodes, wish.why)
	return doc, wish.why, err
}

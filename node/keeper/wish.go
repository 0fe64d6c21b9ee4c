package keeper

import (
	"errors"
	"fmt"
	"strings"

	"ringkv/hashring/placement"
)

// A wish is the nodes that the placement should list.
type wish struct {
	nodes  []placement.Node
	why    string // what is new in that; empty if nothing is
	urgent bool   // slots are a copy short until it is so
}

// wanted returns the nodes that the stored placement should list. Nothing is new in that if it is worth waiting for nodes
// that have only just come.
func (s *state) wanted() wish {
	if s.stored == nil {
		return wish{}
	}
	byID := map[string]placement.Node{}
	for _, n := range s.stored.Nodes {
		byID[n.ID] = n
	}
	var joined, wiped, altered []string
	early, late := false, false
	for _, c := range s.passing {
		now, known := byID[c.ID]
		if !s.fit(c) || known && now == nodeOf(c) {
			continue
		}
		age := s.now.Sub(c.since)
		if age < settle {
			early = true
			continue
		}
		late = late || age >= patience
		switch {
		case !known:
			joined = append(joined, c.ID)
		case now.Disk != c.Disk:
			wiped = append(wiped, c.ID)
		default:
			altered = append(altered, c.ID)
		}
		byID[c.ID] = nodeOf(c)
	}
	if early && !late {
		return wish{}
	}
	gone := s.gone(byID)
	for _, id := range gone {
		delete(byID, id)
	}
	return wish{listed(byID), describe(joined, wiped, altered, gone), len(wiped)+len(gone) > 0}
}

func listed(byID map[string]placement.Node) []placement.Node {
	nodes := make([]placement.Node, 0, len(byID))
	for _, n := range byID {
		nodes = append(nodes, n)
	}
	return nodes
}

// gone returns the nodes of a placement that have been away for too long, none if fewer nodes than a key has copies would
// be left that pass: a failure never makes copies fewer.
func (s *state) gone(placed map[string]placement.Node) []string {
	if s.rebalanceAfter == 0 {
		return nil
	}
	left := 0
	for _, c := range s.passing {
		if n, ok := placed[c.ID]; ok && n.Disk == c.Disk {
			left++
		}
	}
	if left < s.replicas {
		return nil
	}
	var ids []string
	for _, n := range s.stored.Nodes {
		if since, ok := s.away[n.ID]; ok && placed[n.ID] == n && s.now.Sub(since) >= s.rebalanceAfter {
			ids = append(ids, n.ID)
		}
	}
	return ids
}

// fit reports whether c can stand in a placement of ours.
func (s *state) fit(c candidate) bool { return s.unfit(c) == nil }

func (s *state) unfit(c candidate) error {
	if c.Replicas != 0 && c.Replicas != s.replicas {
		return fmt.Errorf("-replicas is %d there and %d in the placement", c.Replicas, s.replicas)
	}
	if s.stored != nil && s.stored.IsLost(c.identity()) {
		return errors.New("it was given up for good: stop it, remove its data directory, and start it again as a new node")
	}
	if s.stored != nil && s.stored.HasLeft(c.identity()) {
		return errLeaving
	}
	return nodeOf(c).Validate()
}

// leftOut names the first node that passes and is in no placement for what it is; empty if there is none.
func (s *state) leftOut() string {
	for _, c := range s.passing {
		if err := s.unfit(c); err != nil && !errors.Is(err, errLeaving) {
			return fmt.Sprintf("node %s is left out: %v", c.ID, err)
		}
	}
	return ""
}

var errLeaving = errors.New("it was asked to leave")

func (c candidate) identity() string { return placement.Identity(c.ID, c.Disk) }

func nodeOf(c candidate) placement.Node {
	return placement.Node{ID: c.ID, Weight: c.Weight, Zone: c.Zone, Disk: c.Disk}
}

func describe(joined, wiped, altered, gone []string) string {
	var parts []string
	for _, p := range []struct {
		ids  []string
		what string
	}{{joined, "joined"}, {wiped, "came back with another disk"}, {altered, "changed weight or zone"}, {gone, "was away for too long"}} {
		if len(p.ids) > 0 {
			parts = append(parts, names(p.ids)+" "+p.what)
		}
	}
	return strings.Join(parts, "; ")
}

// names lists ids for people, a few of them.
func names(ids []string) string {
	const few = 5
	if len(ids) > few {
		return fmt.Sprintf("%s and %d more", strings.Join(ids[:few], ", "), len(ids)-few)
	}
	return strings.Join(ids, ", ")
}

package placement

import (
	"time"

	"ringkv/hashring/membership"
)

// A RingNode is a node of the placement that passes.
type RingNode struct {
	Node
	Addr  string  // host:port
	Slots int     // slots that it is an owner of
	Share float64 // part of all copies that it should hold, 0 to 1; over the whole placement they add up to 1
}

// An AwayNode is a node of the placement that does not pass, or passes with another disk.
type AwayNode struct {
	Node
	Addr  string    // host:port as it was last registered; empty if it never was seen
	Slots int       // slots that it is an owner of
	Since time.Time // when this process first saw that it doesn't pass
}

// Nodes returns the nodes of the placement that pass, sorted by id.
func (v *View) Nodes() []RingNode {
	var out []RingNode
	for _, n := range v.tables.doc.Nodes {
		if p := v.peers[n.ID]; p.Passing {
			out = append(out, RingNode{Node: n, Addr: p.Addr, Slots: v.tables.ring.Count(n.ID), Share: v.tables.ring.Share(n.ID)})
		}
	}
	return out
}

// Away returns the nodes of the placement that don't pass, sorted by id.
func (v *View) Away() []AwayNode {
	var out []AwayNode
	for _, n := range v.tables.doc.Nodes {
		if p := v.peers[n.ID]; !p.Passing {
			out = append(out, AwayNode{Node: n, Addr: p.Addr, Slots: v.tables.ring.Count(n.ID), Since: p.since})
		}
	}
	return out
}

// Joining returns the members that pass and aren't in the placement, those with another disk than it names included, those
// that have departed excluded, sorted by id.
func (v *View) Joining() []membership.Member {
	return v.members(func(m *membership.Member) bool {
		return v.agrees(m) && !v.tables.doc.Has(m.ID, m.Disk) && !v.tables.doc.Departed(Identity(m.ID, m.Disk))
	})
}

// Refused returns the members that pass and are left out, as they were started with another number of replicas than the
// placement has, sorted by id.
func (v *View) Refused() []membership.Member {
	return v.members(func(m *membership.Member) bool { return !v.agrees(m) })
}

func (v *View) members(which func(*membership.Member) bool) []membership.Member {
	var out []membership.Member
	for i := range v.snap.Members {
		if m := &v.snap.Members[i]; which(m) {
			out = append(out, *m)
		}
	}
	return out
}

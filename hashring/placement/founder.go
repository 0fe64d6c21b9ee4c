package placement

import (
	"slices"
	"strings"

	"ringkv/hashring/membership"
)

// Founder reports whether the node with this id and disk was in generation 0. Its owners alone began settled and empty;
// it is false as well when the log no longer tells, since nobody needs to know then.
func (d *Document) Founder(id, disk string) bool {
	first := d.generations()[0]
	if first.Generation != 0 {
		return false
	}
	n, ok := find(first.Nodes, id)
	return ok && n.Disk == disk
}

// Locate returns the owners of a config that this view may not know: one that another node has promised already, or one
// of the past. They are taken as they are registered; those that aren't have no address, and don't pass.
func (v *View) Locate(c *Config) []Owner {
	owners := make([]Owner, len(c.Owners))
	for i, identity := range c.Owners {
		id, disk := split(identity)
		owners[i] = Owner{ID: id}
		if m, ok := v.member(id); ok && m.Disk == disk && v.agrees(m) {
			owners[i] = Owner{ID: id, Addr: m.Addr, Passing: true}
		}
	}
	return owners
}

// member returns the member of the snapshot called id.
func (v *View) member(id string) (*membership.Member, bool) {
	members := v.snap.Members
	i, ok := slices.BinarySearchFunc(members, id, func(m membership.Member, id string) int { return strings.Compare(m.ID, id) })
	if !ok {
		return nil, false
	}
	return &members[i], true
}

package replica

import "ringkv/hashring/placement"

// Nodes that an operator has given up are neither asked nor waited for. What they alone had acknowledged is lost: that is
// what was said when they were given up.

// lost reports whether the node of this identity is given up.
func (r *Replica) lost(identity string) bool {
	view := r.opt.View()
	return view != nil && view.Document().IsLost(identity)
}

// heard returns how many of the config's owners have answered, this node counted, and how many aren't lost.
func (c *collection) heard(config *placement.Config) (answered, left int) {
	for _, identity := range config.Owners {
		if c.r.lost(identity) {
			continue
		}
		left++
		if _, ok := c.got[identity]; ok || identity == c.r.self {
			answered++
		}
	}
	return answered, left
}

// crippled reports whether one of the configs from base on has lost so many owners that no majority of them is left. Those
// that are left may never have heard of a config after it that others have acted in: then not only the configs that were told of have
// to be fenced, but all that the placement's history knows.
func (c *collection) crippled(told configs) bool {
	for _, config := range told {
		if _, left := c.heard(config); left < len(config.Owners)/2+1 {
			return true
		}
	}
	return false
}

// nothingLeft is the rule by which a slot begins anew, empty: nobody has settled any config of it, all owners of all configs
// that anybody knows of have answered or are lost, and some are. Without one that is lost, "nobody knows anything" only
// means that the right ones have not been asked.
func (c *collection) nothingLeft() bool {
	lost := false
	for _, config := range c.contacts() {
		answered, left := c.heard(config)
		if answered < left {
			return false
		}
		lost = lost || left < len(config.Owners)
	}
	return lost
}

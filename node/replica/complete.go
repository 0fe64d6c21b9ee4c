package replica

import (
	"slices"

	"ringkv/hashring/placement"
)

// complete is the rule by which a config is entered. Let the base be the latest config that anyone here has settled. For the base, and for each config after it
// that anyone here has promised, a majority of the owners must have answered, after promising ours: then none of them can still acknowledge
// anything, and what they did acknowledge was seen. With a base that is our own config, one answer is enough.
func (c *collection) complete() bool {
	base := c.s.Settled
	var told configs
	note := func(settled *placement.Config, history []*placement.Config) {
		if settled != nil && (base == nil || settled.Generation > base.Generation) {
			base = settled
		}
		told.add(history)
	}
	note(c.s.Settled, c.s.History)
	for _, got := range c.got {
		note(got.Settled, got.History)
	}
	if base == nil {
		return c.nothingLeft()
	}
	told = told.from(base)
	if c.crippled(told) {
		told.add(c.contacts())
		told = told.from(base)
	}
	for _, config := range told {
		if config.Generation < c.req.Config.Generation && !c.fenced(config) {
			return false
		}
	}
	return true
}

// configs are distinct. Two of one generation may be among them: a generation that Consul lost is written anew, in ignorance of who
// was to own what in the lost one. Either may be the one that others have acted in, never both.
type configs []*placement.Config

func (l *configs) add(more []*placement.Config) {
	for _, config := range more {
		if !slices.ContainsFunc(*l, config.Equal) {
			*l = append(*l, config)
		}
	}
}

// from returns base and those after it. Another of base's own generation was never acted in, as base was.
func (l configs) from(base *placement.Config) configs {
	after := configs{base}
	for _, config := range l {
		if config.Generation > base.Generation {
			after = append(after, config)
		}
	}
	return after
}

// fenced reports whether a majority of the config's owners have answered, this node counted. Where so many are lost that
// no majority is left, all that are left have to.
func (c *collection) fenced(config *placement.Config) bool {
	answered, left := c.heard(config)
	return answered >= min(len(config.Owners)/2+1, left)
}

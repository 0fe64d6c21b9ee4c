package replica

import (
	"fmt"

	"ringkv/hashring/placement"
	"ringkv/node/wire"
)

// What admit asks for before a request may act. These never leave this package.
const (
	adopt wire.Status = 255 - iota // promise the config first
	pull                           // pull the key first
)

// admit says whether a request in config c may act on key, of a slot in state s: OK, adopt, pull, or the refusal to answer
// with.
func (r *Replica) admit(slot int, s *state, c *placement.Config, key string) wire.Response {
	if verdict := r.promised(s, c); verdict.Status != wire.OK {
		return verdict
	}
	switch {
	case !c.Owns(r.self):
		return wire.Response{Status: wire.NotOwner, Detail: "is not an owner of this key"}
	case !s.settled() && !r.entering.ready(slot, c, key):
		return wire.Response{Status: pull}
	}
	return wire.Response{Status: wire.OK}
}

// promised says whether c is what is promised in s: OK, adopt, or the refusal to answer with.
func (r *Replica) promised(s *state, c *placement.Config) wire.Response {
	switch {
	case s == nil || s.Promised.Generation < c.Generation:
		return wire.Response{Status: adopt}
	case s.Promised.Generation > c.Generation:
		return wire.Response{Status: wire.Stale, Config: s.Promised, Detail: "has promised a later generation"}
	case !s.Promised.Equal(c):
		return wire.Response{Status: wire.BadRequest, Detail: fmt.Sprintf("knows other owners of generation %d: do two clusters share a service name?", c.Generation)}
	}
	return wire.Response{Status: wire.OK}
}

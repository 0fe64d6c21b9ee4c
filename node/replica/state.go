package replica

import (
	"encoding/json"
	"fmt"

	"ringkv/hashring/placement"
	"ringkv/node/wire"
)

// A state is what a replica has promised about one slot. It is immutable; a change makes a new one, durable before it is
// used.
type state struct {
	Promised *placement.Config   `json:"promised"`          // the latest config that this node acts in
	Settled  *uint64             `json:"settled,omitempty"` // generation of the latest config that this node holds everything of
	History  []*placement.Config `json:"history"`           // the configs promised since Settled, oldest first, Promised included
}

func parseState(text []byte) (*state, error) {
	s := new(state)
	if err := json.Unmarshal(text, s); err != nil {
		return nil, err
	}
	if s.Promised == nil {
		return nil, fmt.Errorf("%.80q names no promised config", text)
	}
	return s, nil
}

func (s *state) text() []byte {
	text, err := json.Marshal(s)
	if err != nil { // strings and numbers only
		panic(err)
	}
	return text
}

// settled reports whether this node holds everything that was acknowledged before Promised began.
func (s *state) settled() bool { return s.Settled != nil && *s.Settled == s.Promised.Generation }

// mayFound reports whether an owner in state s (which may be nil) may still begin settled and empty in the first config:
// it has promised nothing, or that config alone, since a gateway can know of it earlier than its owners. It has
// then acted on nothing yet.
func (s *state) mayFound(first *placement.Config) bool {
	return s == nil || s.Settled == nil && s.Promised.Equal(first)
}

// founded is the state of an owner of generation 0, which begins settled and empty. Nobody else may take "I know no
// history" for "there is none".
func founded(c *placement.Config) *state {
	generation := c.Generation
	return &state{Promised: c, Settled: &generation, History: []*placement.Config{c}}
}

// adopted is the state after promising c, whatever is promised in s (which may be nil). Nothing that was promised is forgotten.
func (s *state) adopted(c *placement.Config) *state {
	if s == nil {
		return &state{Promised: c, History: []*placement.Config{c}}
	}
	history := append(append([]*placement.Config(nil), s.History...), c)
	return &state{Promised: c, Settled: s.Settled, History: history}
}

// adopt is admit's word for a config that must be promised first. It never leaves this package.
const adopt wire.Status = 255

// admit says whether a request in config c may act on a slot in state s: OK, adopt, or the refusal to answer with.
func (r *Replica) admit(s *state, c *placement.Config) wire.Response {
	switch {
	case s == nil || s.Promised.Generation < c.Generation:
		return wire.Response{Status: adopt}
	case s.Promised.Generation > c.Generation:
		return wire.Response{Status: wire.Stale, Config: s.Promised, Detail: "has promised a later generation"}
	case !s.Promised.Equal(c):
		return wire.Response{Status: wire.BadRequest, Detail: fmt.Sprintf("knows other owners of generation %d: do two clusters share a service name?", c.Generation)}
	case !c.Owns(r.opt.ID):
		return wire.Response{Status: wire.NotOwner, Detail: "is not an owner of this key"}
	case !s.settled():
		return wire.Response{Status: wire.NotReady, Detail: "does not hold this slot's data yet"}
	}
	return wire.Response{Status: wire.OK}
}

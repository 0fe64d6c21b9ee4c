package replica

import (
	"encoding/json"
	"fmt"
	"slices"

	"ringkv/hashring/placement"
)

// A state is what a replica has promised about one slot. It is immutable; a change makes a new one, durable before it is
// used.
type state struct {
	Promised *placement.Config   `json:"promised"`          // the latest config that this node acts in
	Settled  *placement.Config   `json:"settled,omitempty"` // the latest config that this node holds everything of; nil for none
	History  []*placement.Config `json:"history"`           // the configs promised since Settled, oldest first, Promised included
	Founded  bool                `json:"founded,omitempty"` // this node began with the slot in generation 0; once only
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
func (s *state) settled() bool {
	return s.Settled != nil && s.Settled.Generation == s.Promised.Generation
}

// mayFound reports whether an owner of generation 0 in state s (which may be nil) may still begin with the slot settled
// and empty: it has not begun before. It may have promised something already, since others can know of a placement
// earlier than its owners; it has then acted on nothing yet.
func (s *state) mayFound() bool { return s == nil || !s.Founded && s.Settled == nil }

// founded is the state of an owner of generation 0, which begins settled and empty in its first config c. Nobody else may
// take "I know no history" for "there is none".
func (s *state) founded(c *placement.Config) *state {
	next := &state{Promised: c, Settled: c, History: []*placement.Config{c}, Founded: true}
	if s != nil && s.Promised.Generation > c.Generation {
		next.Promised = s.Promised
		next.History = append(next.History, slices.DeleteFunc(slices.Clone(s.History), c.Equal)...)
	}
	return next
}

// adopted is the state after promising c, whatever is promised in s (which may be nil). Nothing that was promised is forgotten.
func (s *state) adopted(c *placement.Config) *state {
	if s == nil {
		return &state{Promised: c, History: []*placement.Config{c}}
	}
	next := *s
	next.Promised, next.History = c, append(slices.Clone(s.History), c)
	return &next
}

// entered is the state after settling Promised: everything before it can be forgotten.
func (s *state) entered() *state {
	next := *s
	next.Settled, next.History = s.Promised, []*placement.Config{s.Promised}
	return &next
}

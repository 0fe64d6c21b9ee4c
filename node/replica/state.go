package replica

import (
	"encoding/json"
	"fmt"
	"slices"

	"ringkv/hashring/placement"
	"ringkv/node/record"
)

// A state is what a replica has promised about one slot. It is immutable; a change makes a new one, durable before it is
// used.
type state struct {
	Promised *placement.Config   `json:"promised"`          // the latest config that this node acts in
	Settled  *placement.Config   `json:"settled,omitempty"` // the latest config that this node holds everything of; nil for none
	History  []*placement.Config `json:"history"`           // the configs promised since Settled, oldest first, Promised included
	Founded  bool                `json:"founded,omitempty"` // this node began with the slot in generation 0; once only
	Guard    record.Version      `json:"guard,omitzero"`    // nothing is taken up to this version
	Floor    record.Version      `json:"floor,omitzero"`    // every owner holds what there is up to this version; never above Guard
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
	if s != nil {
		next.Guard, next.Floor = s.Guard, s.Floor
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

// guarded is the state in which nothing is taken up to v any more: s itself where that is so already.
func (s *state) guarded(v record.Version) *state {
	if !v.After(s.Guard) {
		return s
	}
	next := *s
	next.Guard = v
	return &next
}

// entered is the state after settling Promised: everything before it can be forgotten. floor is what every part of the slot
// was pulled with at the least.
func (s *state) entered(floor record.Version) *state {
	next := *s.guarded(floor)
	next.Settled, next.History = s.Promised, []*placement.Config{s.Promised}
	if floor.After(s.Floor) {
		next.Floor = floor
	}
	return &next
}

// seen returns rec, which may be none, as a node of that floor stands for it. Up to the floor every owner holds what there is,
// so that a tombstone there says no more than no record, and no record no less than a tombstone: both are a virtual tombstone at the floor.
func seen(rec record.Record, floor record.Version) (_ record.Record, virtual bool) {
	if floor.IsZero() || rec.Exists() || rec.Version.After(floor) {
		return rec, false
	}
	return record.Record{Key: rec.Key, Version: floor, Deleted: true, Ballot: rec.Ballot}, true
}

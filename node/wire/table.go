package wire

import "time"

// progress is how far a call has come.
type progress uint8

const (
	free   progress = iota
	queued          // none of its bytes has been given to the kernel
	left            // some may have been
)

// A call is one Send that has yet to get its Reply.
type call struct {
	progress   progress
	generation uint32 // of this place in the table; an id of an earlier one is dead
	req        *Request
	to         chan<- Reply
	deadline   time.Time
	since      time.Time // when the sweep saw it first
}

// A table holds the calls of one node. An id is the place of a call and that place's generation: places are used again,
// ids aren't, so that an answer which comes too late finds nothing. Not safe for concurrent use.
type table struct {
	calls []call
	empty []uint32 // free places
}

func (t *table) len() int { return len(t.calls) - len(t.empty) }

func (t *table) add(req *Request, deadline time.Time, to chan<- Reply) (id uint64) {
	if len(t.empty) == 0 {
		t.calls = append(t.calls, call{})
		t.empty = append(t.empty, uint32(len(t.calls)-1))
	}
	place := t.empty[len(t.empty)-1]
	t.empty = t.empty[:len(t.empty)-1]
	c := &t.calls[place]
	c.progress, c.req, c.to, c.deadline = queued, req, to, deadline
	return uint64(c.generation)<<32 | uint64(place)
}

// get returns the call with that id, nil if it has been removed.
func (t *table) get(id uint64) *call {
	place, generation := uint32(id), uint32(id>>32)
	if int(place) >= len(t.calls) {
		return nil
	}
	if c := &t.calls[place]; c.progress != free && c.generation == generation {
		return c
	}
	return nil
}

// remove frees the place of the call with that id, and returns what was there.
func (t *table) remove(id uint64) (call, bool) {
	c := t.get(id)
	if c == nil {
		return call{}, false
	}
	was := *c
	*c = call{generation: c.generation + 1}
	t.empty = append(t.empty, uint32(id))
	return was, true
}

// each calls f with every call; f may remove that call.
func (t *table) each(f func(id uint64, c *call)) {
	if t.len() == 0 {
		return
	}
	for place := range t.calls {
		if c := &t.calls[place]; c.progress != free {
			f(uint64(c.generation)<<32|uint64(place), c)
		}
	}
}

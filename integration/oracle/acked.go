package oracle

import "fmt"

// A Reading is what one place, a gateway or a node, says about one key after the history has ended and all is healed.
type Reading struct {
	From  string
	Key   string
	Value string
	Found bool
}

func (r Reading) String() string {
	if !r.Found {
		return fmt.Sprintf("%s says absent", r.From)
	}
	return fmt.Sprintf("%s says %q", r.From, shorten(r.Value, maxShownValue))
}

// CheckAcked returns an error unless each of the places was asked about each key that has an acknowledged write, and answered
// what the key may hold in the end. With one put a key, that means: acknowledged is there, failed is absent.
func CheckAcked(ops []Op, readings []Reading, places ...string) error {
	v := &Violation{Promise: "what was acknowledged is there, read from everywhere"}
	answers := map[string]map[string]Reading{}
	for _, r := range readings {
		if answers[r.Key] == nil {
			answers[r.Key] = map[string]Reading{}
		}
		answers[r.Key][r.From] = r
	}
	if len(places) == 0 {
		v.add("no place to read from was named")
	}
	keys, split := byKey(ops)
	for _, key := range keys {
		end := endsOf(split[key])
		for _, place := range places {
			r, asked := answers[key][place]
			switch {
			case !asked && end.acked != nil:
				v.add("%q has an acknowledged write but was not read from %s: %v", key, place, *end.acked)
			case asked && !end.allow(r):
				v.add("%v of %q, after %v", r, key, end)
			}
		}
	}
	return v.err()
}

// CheckCopies returns an error unless each key whose last write is an acknowledged put is held, with a value it may have, by
// at least want distinct places.
func CheckCopies(ops []Op, held []Reading, want int) error {
	v := &Violation{Promise: fmt.Sprintf("what was acknowledged has %d copies", want)}
	holders := map[string][]Reading{}
	for _, r := range held {
		if r.Found {
			holders[r.Key] = append(holders[r.Key], r)
		}
	}
	keys, split := byKey(ops)
	for _, key := range keys {
		end := endsOf(split[key])
		if end.acked == nil || end.absent {
			continue
		}
		places := map[string]bool{}
		for _, r := range holders[key] {
			if end.allow(r) {
				places[r.From] = true
			}
		}
		if len(places) < want {
			v.add("%q has %d of %d copies, after %v: %v", key, len(places), want, end, holders[key])
		}
	}
	return v.err()
}

// CheckDeleted returns an error unless each key that can only be absent in the end, because a delete of it was
// acknowledged and no put came after, is said to be absent by each of the places.
func CheckDeleted(ops []Op, readings []Reading, places ...string) error {
	keys, split := byKey(ops)
	var deleted []Op
	for _, key := range keys {
		if end := endsOf(split[key]); end.acked != nil && end.absent && len(end.values) == 0 {
			deleted = append(deleted, split[key]...)
		}
	}
	if err := CheckAcked(deleted, readings, places...); err != nil {
		return fmt.Errorf("what was deleted stays deleted: %w", err)
	}
	return nil
}

// ends is what a key may hold when its history is over.
type ends struct {
	acked  *Op // an acknowledged write after which no other acknowledged one began, nil if nothing was acknowledged
	absent bool
	values map[string]bool
}

func (e ends) String() string {
	if e.acked == nil {
		return "no acknowledged write"
	}
	return e.acked.String()
}

func (e ends) allow(r Reading) bool {
	if !r.Found {
		return e.absent
	}
	return e.values[r.Value]
}

// endsOf works out what one key may hold: the value of any write that isn't known to be followed by another. A
// write of unknown outcome may still happen, so nothing follows it for certain.
func endsOf(ops []Op) ends {
	var lastCall int64 = -1 // of the acknowledged write that began last
	e := ends{values: map[string]bool{}}
	for _, op := range ops {
		if op.writes() && op.Outcome == OK && op.Call > lastCall {
			lastCall, e.acked = op.Call, &op
		}
	}
	e.absent = e.acked == nil
	for _, op := range ops {
		if !op.writes() || op.settled() < lastCall {
			continue
		}
		if op.Kind == Delete {
			e.absent = true
		} else {
			e.values[op.Value] = true
		}
	}
	return e
}

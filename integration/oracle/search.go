package oracle

import (
	"cmp"
	"slices"
)

// searchSteps bounds the quick search of one key.
const searchSteps = 20_000

// explained reports whether an order of one key's operations was found that explains them. It goes by versions, which tell a store's own order, and so finds at once in a
// history with many unread writes what an exhaustive search may take minutes for. false proves nothing.
func explained(ops []Op) bool {
	s := &search{seen: map[string]bool{}, left: searchSteps}
	read := map[string]string{} // by value, the version under which it was seen
	versions := map[string]bool{}
	for _, op := range ops {
		switch {
		case op.Kind == Get && op.Outcome != OK || op.Outcome == Failed:
			continue
		case op.Kind == Get:
			read[op.Value], versions[op.Version] = op.Version, true
		case op.Kind == Cas && !op.mismatched():
			read[op.Wanted] = cmp.Or(read[op.Wanted], "")
		}
		s.ops = append(s.ops, op)
	}
	for i := range s.ops { // what was read tells the version of a write that nobody answered
		if op := &s.ops[i]; op.puts() && op.Version == "" {
			op.Version = read[op.Value]
		}
	}
	// Writes that nobody read fit in before others, and those without a version are tried only where nothing else explains what is seen.
	last := func(op Op) int {
		switch {
		case op.Version == "":
			return 2
		case op.unread(read, versions):
			return 1
		}
		return 0
	}
	slices.SortStableFunc(s.ops, func(a, b Op) int {
		return cmp.Or(last(a)-last(b), cmp.Compare(a.Version, b.Version), cmp.Compare(a.Call, b.Call))
	})
	s.done = make([]byte, len(s.ops))
	s.unread = make([]bool, len(s.ops))
	for i, op := range s.ops {
		s.unread[i] = op.unread(read, versions)
	}
	return s.from(content{})
}

// unread reports whether o is a write that is known to have happened, and of which nothing was seen.
func (o Op) unread(read map[string]string, versions map[string]bool) bool {
	_, seen := read[o.Value]
	return o.Outcome == OK && (o.Kind == Put && !seen || o.Kind == Delete && !versions[o.Version])
}

type search struct {
	ops    []Op // in the order in which they are tried
	unread []bool
	done   []byte // 1 for those that have their place
	seen   map[string]bool
	left   int
}

// from reports whether the operations that aren't done yet can follow in a state.
func (s *search) from(state content) bool {
	var placed []int
	place := func(i int) { s.done[i] = 1; placed = append(placed, i) }
	defer func() {
		for _, i := range placed {
			s.done[i] = 0
		}
	}()
	// What changes nothing, and sees what is there, may as well come now.
	for again := true; again; {
		again = false
		bound := s.bound()
		for i, op := range s.ops {
			if s.done[i] == 0 && op.Call <= bound && op.idle(state) {
				place(i)
				again = true
			}
		}
	}
	if s.complete() {
		return true
	}
	key := string(s.done) + state.value
	if state.present {
		key += "+"
	}
	if s.left--; s.left < 0 || s.seen[key] {
		return false
	}
	s.seen[key] = true
	bound := s.bound()
	for i, op := range s.ops {
		if s.done[i] == 1 || op.Call > bound || !op.writes() || op.Kind == Cas && !op.fits(state) {
			continue
		}
		// Writes that nobody read, of earlier versions, come just before.
		mark := len(placed)
		for j, other := range s.ops {
			if s.done[j] == 0 && j != i && s.unread[j] && other.Call <= bound && other.Version < op.Version {
				place(j)
			}
		}
		place(i)
		if s.from(content{op.puts(), putOrCas(op)}) {
			return true
		}
		for _, j := range placed[mark:] {
			s.done[j] = 0
		}
		placed = placed[:mark]
	}
	return false
}

func putOrCas(op Op) string {
	if op.puts() {
		return op.Value
	}
	return ""
}

// idle reports whether o may have its place in a state without a change of that.
func (o Op) idle(state content) bool {
	switch {
	case o.Kind == Loss:
		return false
	case o.Kind == Delete:
		return !state.present && o.Outcome == OK
	}
	return !o.writes() && o.fits(state)
}

// fits reports whether what a get or a Cas saw is what is there.
func (o Op) fits(state content) bool {
	if o.Kind == Get {
		return state == content{o.Found, o.Value}
	}
	return (state == content{!o.Absent, o.Wanted}) != o.mismatched()
}

// bound is when the first of those that aren't done must be: what was called later comes after it.
func (s *search) bound() int64 {
	bound := int64(Never)
	for i, op := range s.ops {
		if s.done[i] == 0 {
			bound = min(bound, op.settled())
		}
	}
	return bound
}

// complete reports whether all are done that must have happened.
func (s *search) complete() bool {
	for i, op := range s.ops {
		if s.done[i] == 0 && op.settled() != Never {
			return false
		}
	}
	return true
}

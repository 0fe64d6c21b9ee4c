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
	read := map[string]bool{}
	for _, op := range ops {
		switch {
		case op.Kind == Get && op.Outcome != OK || op.Outcome == Failed:
			continue
		case op.Kind == Get:
			read[op.Value] = true
		case op.Kind == Cas && !op.mismatched():
			read[op.Wanted] = true
		}
		s.ops = append(s.ops, op)
	}
	// Those of unknown outcome come last: they are tried only where nothing else explains what is seen.
	slices.SortStableFunc(s.ops, func(a, b Op) int {
		if u, v := a.settled() == Never, b.settled() == Never; u != v {
			if u {
				return 1
			}
			return -1
		}
		return cmp.Or(cmp.Compare(a.Version, b.Version), cmp.Compare(a.Call, b.Call))
	})
	s.done = make([]byte, len(s.ops))
	s.unread = make([]bool, len(s.ops))
	for i, op := range s.ops {
		s.unread[i] = op.Kind == Put && op.Outcome == OK && !read[op.Value]
	}
	return s.from(content{})
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
	// What only looks, and sees what is there, may as well come now.
	for again := true; again; {
		again = false
		bound := s.bound()
		for i, op := range s.ops {
			if s.done[i] == 0 && op.Call <= bound && !op.writes() && op.Kind != Loss && op.fits(state) {
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

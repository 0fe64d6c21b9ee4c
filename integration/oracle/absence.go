package oracle

import (
	"cmp"
	"slices"
)

// checkAbsent looks at each get that found nothing: some delete, or the beginning, must be able to explain it, with no put
// known to lie between the two.
func checkAbsent(v *Violation, values map[string]*cluster, ops []Op) {
	puts, deletes := seenPuts(values), lateDeletes(ops)
	for _, op := range ops {
		if op.Kind != Get || op.Outcome != OK || op.Found {
			continue
		}
		put, known := puts.before(op.Call)
		if !known {
			continue
		}
		if latest, any := deletes.before(op.Return + 1); !any || latest.settled() < put.Call {
			v.add("a put was lost, nothing had deleted it:\n%v\n%v", put, op)
		}
	}
}

// A timeline answers which of some operations is the extreme one among those up to a time.
type timeline struct {
	at   []int64 // sorted
	best []Op    // of those up to at[i]
}

// before returns the best operation among those that are before a time.
func (l timeline) before(time int64) (Op, bool) {
	i, _ := slices.BinarySearch(l.at, time)
	if i == 0 {
		return Op{}, false
	}
	return l.best[i-1], true
}

// seenPuts has, of the puts that are known to have happened by a time, the one that began last.
func seenPuts(values map[string]*cluster) (l timeline) {
	var seen []*cluster
	for _, c := range values {
		if c.write.writes() && c.firstReturn != Never {
			seen = append(seen, c)
		}
	}
	slices.SortFunc(seen, func(a, b *cluster) int { return cmp.Compare(a.firstReturn, b.firstReturn) })
	for i, c := range seen {
		best := c.write
		if i > 0 && l.best[i-1].Call > best.Call {
			best = l.best[i-1]
		}
		l.at, l.best = append(l.at, c.firstReturn), append(l.best, best)
	}
	return l
}

// lateDeletes has, of the deletes that had begun by a time, the one that may have happened last.
func lateDeletes(ops []Op) (l timeline) {
	var deletes []Op
	for _, op := range ops {
		if op.Kind == Delete && op.writes() {
			deletes = append(deletes, op)
		}
	}
	slices.SortFunc(deletes, func(a, b Op) int { return cmp.Compare(a.Call, b.Call) })
	for i, best := range deletes {
		l.at = append(l.at, best.Call)
		if i > 0 && l.best[i-1].settled() > best.settled() {
			best = l.best[i-1]
		}
		l.best = append(l.best, best)
	}
	return l
}

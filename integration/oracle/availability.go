package oracle

import (
	"cmp"
	"fmt"
	"slices"
	"time"
)

// Availability is what clients noticed between two times.
type Availability struct {
	Total    int           // operations that were under way, but for those that are excused
	Errors   int           // those of them that weren't answered OK
	Excused  int           // operations that were under way while the machine stood still for long
	Gap      time.Duration // the longest that any one client went without an OK answer, while the machine did something
	Recovery time.Duration // from the beginning until the last error; 0 without errors
	GapOp    Op            // the answer that ended the gap; the zero Op if none did
	FirstErr Op
}

// Share returns the errors' part of all operations, 0 to 1.
func (a Availability) Share() float64 {
	if a.Total == 0 {
		return 0
	}
	return float64(a.Errors) / float64(a.Total)
}

func (a Availability) String() string {
	return fmt.Sprintf("%d operations, %d errors (%.3f %%), %d more excused, longest gap %v, recovered after %v",
		a.Total, a.Errors, 100*a.Share(), a.Excused, a.Gap.Round(time.Millisecond), a.Recovery.Round(time.Millisecond))
}

// Measure looks at the operations that were under way between from and to, at a load in which each client begins its
// next operation as soon as it has the answer to the last. Each client's own gap counts: if only some keys can't be
// reached, only some clients notice, and the others' answers must not hide it. Of a gap, only what lies outside of the stalls
// counts, and of an operation that was under way in a long one, only that it ended a gap.
func Measure(ops []Op, from, to int64, stalls ...Stall) Availability {
	var a Availability
	last := map[int]int64{}
	ended := slices.Clone(ops)
	slices.SortStableFunc(ended, func(x, y Op) int { return cmp.Compare(x.Return, y.Return) })
	for _, op := range ended {
		if op.Return < from || op.Call > to {
			continue
		}
		if _, known := last[op.Client]; !known {
			last[op.Client] = from
		}
		a.count(op, from, to, stalls)
		if op.Outcome == OK {
			a.gap(last[op.Client], min(op.Return, to), op, stalls)
			last[op.Client] = op.Return
		}
	}
	for _, at := range last {
		a.gap(at, to, Op{}, stalls)
	}
	return a
}

func (a *Availability) count(op Op, from, to int64, stalls []Stall) {
	if op.excused(stalls) {
		a.Excused++
		return
	}
	a.Total++
	if op.Outcome == OK {
		return
	}
	if a.Errors++; a.Errors == 1 {
		a.FirstErr = op
	}
	a.Recovery = time.Duration(min(op.Return, to) - from)
}

func (a *Availability) gap(from, to int64, op Op, stalls []Stall) {
	stalled, _ := Stalled(stalls, from, to)
	if d := time.Duration(to-from) - stalled; d > a.Gap {
		a.Gap, a.GapOp = d, op
	}
}

// Check returns an error if there was nothing to measure, if more than share (0 to 1) of the operations failed, or if a
// client waited longer than gap.
func (a Availability) Check(share float64, gap time.Duration) error {
	v := &Violation{Promise: "reads and writes go on"}
	if a.Total == 0 {
		v.add("no operation was under way")
	}
	if a.Share() > share {
		v.add("%v: more than %.3f %% errors, the first: %v", a, 100*share, a.FirstErr)
	}
	if a.Gap > gap {
		v.add("%v: a gap above %v, until %v", a, gap, a.GapOp)
	}
	return v.err()
}

// CheckValid returns an error unless the run tested anything: a fault was injected, at least so many operations had been
// acknowledged before the first one, and operations were begun after it. It counts operations and not their rate: what there
// was to lose decides what the run tells, and a rate is a property of the machine.
func CheckValid(ops []Op, faults []Fault, acknowledged int) error {
	v := &Violation{Promise: "the run is valid"}
	if len(faults) == 0 || len(ops) == 0 {
		v.add("%d faults were injected into %d operations", len(faults), len(ops))
		return v.err()
	}
	first := faults[0].At
	var acked, after int
	for _, op := range ops {
		if op.Outcome == OK && op.Return < first {
			acked++
		}
		if op.Call > first {
			after++
		}
	}
	if acked < acknowledged {
		v.add("%d operations were acknowledged before the fault %q, at least %d are needed", acked, faults[0].What, acknowledged)
	}
	if after == 0 {
		v.add("no operation was begun after the fault %q", faults[0].What)
	}
	return v.err()
}

package oracle

import (
	"testing"
	"time"
)

// stopped is steady, but that nobody is answered from 1 s until 1.8 s, and the operations that were under way then come to outcome.
func stopped(outcome Outcome) (ops []Op) {
	for _, op := range steady() {
		switch {
		case op.Call < 990*ms || op.Call > 1800*ms:
			ops = append(ops, op)
		case op.Call < 1000*ms:
			op.Return, op.Outcome = 1800*ms+int64(op.Client), outcome
			ops = append(ops, op)
		}
	}
	return ops
}

func TestWhatTheMachineDidIsForgiven(t *testing.T) {
	const allowed = 100 * time.Millisecond
	whole := Stall{1000 * ms, 1795 * ms}
	for _, c := range []struct {
		name   string
		good   bool
		ops    []Op
		stalls []Stall
	}{
		{"a stall", true, stopped(OK), []Stall{whole}},
		{"a stall that cost answers", true, stopped(Unknown), []Stall{whole}},
		{"two stalls in one gap", true, stopped(OK), []Stall{{1000 * ms, 1400 * ms}, {1410 * ms, 1795 * ms}}},
		{"no stall", false, stopped(OK), nil},
		{"no stall, and no answers", false, stopped(Unknown), nil},
		{"a stall in a part of the gap", false, stopped(OK), []Stall{{1000 * ms, 1650 * ms}}},
		{"a stall at another time", false, stopped(OK), []Stall{{200 * ms, 995 * ms}}},
		{"errors with short stalls", false, stopped(Unknown), []Stall{{1000 * ms, 1400 * ms}, {1410 * ms, 1795 * ms}}},
	} {
		judge(t, "Measure", c.name, Measure(c.ops, 500*ms, 2000*ms, c.stalls...).Check(0.001, allowed), c.good)
	}
	a := Measure(stopped(Unknown), 500*ms, 2000*ms, whole)
	if a.Excused != 2 || a.Errors != 0 || a.Recovery != 0 {
		t.Errorf("Measure of two clients in a stall = %v, want one operation of each excused, and no errors", a)
	}
	judge(t, "Check", "nothing but a stall", Measure(stopped(OK), 1100*ms, 1700*ms, whole).Check(1, time.Hour), false)
}

func TestStalledLooksBetweenTwoTimes(t *testing.T) {
	stalls := []Stall{{100 * ms, 300 * ms}, {500 * ms, 600 * ms}, {900 * ms, 2000 * ms}}
	for _, c := range []struct {
		from, to     int64
		all, longest time.Duration
	}{
		{0, 800 * ms, 300 * time.Millisecond, 200 * time.Millisecond},
		{250 * ms, 1000 * ms, 250 * time.Millisecond, 100 * time.Millisecond},
		{350 * ms, 450 * ms, 0, 0},
	} {
		if all, longest := Stalled(stalls, c.from, c.to); all != c.all || longest != c.longest {
			t.Errorf("Stalled(%v, %v) = %v, %v, want %v, %v", time.Duration(c.from), time.Duration(c.to), all, longest, c.all, c.longest)
		}
	}
}

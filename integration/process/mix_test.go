//go:build integration && linux

package process

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"ringkv/integration/load"
	"ringkv/integration/oracle"
)

// Three faults of any kind at any time, one into the other, then all is made whole and judged; again and again, on one cluster.
func TestAnyThreeFaultsLoseNothing(t *testing.T) {
	rng := newRandom(t)
	c := NewCluster(t, Options{Gateways: 2, Grouped: true})
	m := &Mix{c: c, rng: rng}
	kinds := map[string]int{}
	var before []oracle.Op // of the rounds that are over, some of the keys that were written once
	round := 0
	began := time.Now()
	for {
		round++
		good := t.Run(fmt.Sprint(round), func(t *testing.T) {
			l := c.StartLoad(t, load.Mixed)
			faults := m.round(t, l, kinds)
			l.Stop()
			ops := l.History.Ops()
			if err := oracle.CheckLinear(load.OfContended(ops), 5*time.Minute); err != nil {
				t.Error(err)
			}
			judge(t, l, whateverFails, strings.Join(faults, ", "))
			before = append(before, sample(ops)...)
		})
		if !good || time.Since(began) > time.Duration(*minutes)*time.Minute && round >= *rounds {
			break
		}
	}
	for _, op := range before {
		if r := c.client.Get(t.Context(), c.Address(t, pick(rng, c.Gateways())), op.Key); r.Status != 200 || r.Value != op.Value {
			t.Errorf("GET %s = %v long after %v, want what was written", op.Key, r, op)
		}
	}
	t.Logf("%d rounds of 3 faults: %v; %d keys of theirs read again", round, kinds, len(before))
}

// round breaks three things and makes them whole in any order, while the load goes on.
func (m *Mix) round(t *testing.T, l *load.Load, kinds map[string]int) (faults []string) {
	m.whole()
	began := time.Now()
	note := func(what string) { t.Logf("%v %s", time.Since(began).Round(time.Millisecond), what) }
	all := ways()
	var ends []undo
	for len(ends) < 3 {
		w := all[m.rng.IntN(len(all))]
		l.Fault("%s", w.name)
		what, end := w.begin(m, t)
		if end == nil {
			continue
		}
		ends = append(ends, end)
		faults = append(faults, w.name+" "+what)
		note(w.name + " " + what)
		kinds[w.name]++
		l.Pass(t, m.rng.IntN(load.Rate))
		if i := m.rng.IntN(2 * len(ends)); i < len(ends) && ends[i] != nil { // a third of the time, one is over before the next begins
			ends[i](t)
			ends[i] = nil
			note(faults[i] + " is over")
		}
	}
	for _, i := range m.rng.Perm(len(ends)) {
		if ends[i] != nil {
			ends[i](t)
			note(faults[i] + " is over")
			l.Pass(t, m.rng.IntN(50))
		}
	}
	m.c.WaitWhole(t)
	note("all is whole")
	l.Continue(t, load.Rate/2)
	return faults
}

// sample returns one of twenty acknowledged puts of keys that are written once.
func sample(ops []oracle.Op) (some []oracle.Op) {
	for i, op := range ops {
		if i%20 == 0 && op.Kind == oracle.Put && op.Outcome == oracle.OK && strings.Contains(op.Key, "/once/") {
			some = append(some, op)
		}
	}
	return some
}

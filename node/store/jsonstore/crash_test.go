package jsonstore

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"sync/atomic"
	"testing"

	"ringkv/node/record"
	"ringkv/node/store"
	"ringkv/node/store/disk/faulty"
)

// TestSurvivesPowerCutAtEveryOperation cuts the power before every change that a script makes to its disk, and keeps
// nothing, half, all, or torn parts of what wasn't synced. What was acknowledged must be there, and a write under way wholly or not at all.
func TestSurvivesPowerCutAtEveryOperation(t *testing.T) {
	var states atomic.Int64
	t.Run("seeds", func(t *testing.T) {
		for seed := range uint64(3) {
			t.Run(fmt.Sprint(seed), func(t *testing.T) {
				t.Parallel()
				states.Add(int64(cutPower(t, seed)))
			})
		}
	})
	t.Logf("%d states", states.Load())
	if states.Load() < minStates && !t.Failed() {
		t.Errorf("only %d states were tried, want at least %d", states.Load(), minStates)
	}
}

func cutPower(t *testing.T, seed uint64) (states int) {
	rng := rand.New(rand.NewPCG(seed, 4))
	d := faulty.New()
	r := newRunner(d, small())
	d.Before(func(op faulty.Op) error {
		if !op.Changes() {
			return nil
		}
		keeps := []faulty.Keep{faulty.KeepNone, faulty.KeepHalf, faulty.KeepAll, faulty.KeepTorn}
		if op.N < 40 && seed == 0 { // a store's beginning happens once
			keeps = append(keeps, slices.Repeat([]faulty.Keep{faulty.KeepTorn}, 10)...)
		}
		for _, keep := range keeps {
			why := fmt.Sprintf("power cut before operation %d (%s %s), keep %d", op.N, op.Kind, op.Name, keep)
			if states++; states%3 == 0 {
				verify(t, d.PowerCut(keep, rng), r.options, r.possible(), why)
			} else {
				verifyHeld(t, d.PowerCut(keep, rng), r.options, r.possible(), why)
			}
		}
		return nil
	})
	for _, s := range script(rng, steps) {
		if err := r.do(s); err != nil {
			t.Fatalf("step %+v: %v", s, err)
		}
	}
	return states
}

// TestSurvivesPowerCutDuringRecovery cuts the power again while what a first cut has left is opened.
func TestSurvivesPowerCutDuringRecovery(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 5))
	d := faulty.New()
	r := newRunner(d, small())
	states := 0
	d.Before(func(op faulty.Op) error {
		if !op.Changes() || rng.IntN(3) > 0 {
			return nil
		}
		first := d.PowerCut(faulty.KeepTorn, rng)
		first.Before(func(again faulty.Op) error {
			if again.Changes() {
				why := fmt.Sprintf("power cut before operation %d (%s %s), and again at %d (%s %s)", op.N, op.Kind, op.Name, again.N, again.Kind, again.Name)
				verify(t, first.PowerCut(faulty.KeepTorn, rng), r.options, r.possible(), why)
				states++
			}
			return nil
		})
		s, err := Open(first, r.options)
		if err != nil {
			t.Fatalf("Open: %v", err)
		}
		return s.segments.close()
	})
	for _, s := range script(rng, 120) {
		if err := r.do(s); err != nil {
			t.Fatalf("step %+v: %v", s, err)
		}
	}
	if states < 100 {
		t.Errorf("only %d states were tried, want at least 100", states)
	}
}

// TestSurvivesPowerCutAfterAKill kills the process before a change, and cuts the power while the next process opens what the system's cache holds, and once it has:
// nothing that it took for durable may be gone.
func TestSurvivesPowerCutAfterAKill(t *testing.T) {
	rng := rand.New(rand.NewPCG(2, 7))
	d := faulty.New()
	r := newRunner(d, small())
	states := 0
	d.Before(func(op faulty.Op) error {
		if !op.Changes() || op.Kind == "write" && rng.IntN(4) > 0 {
			return nil
		}
		cuts := 1
		if op.Kind == "syncdir" { // what else it would have made durable are names, and they may come to the disk in any order
			cuts = 8
		}
		killed := d.Clone()
		killed.Before(func(next faulty.Op) error {
			if next.Changes() {
				why := fmt.Sprintf("kill before operation %d (%s %s), power cut at %d (%s %s)", op.N, op.Kind, op.Name, next.N, next.Kind, next.Name)
				for range cuts {
					verify(t, killed.PowerCut(faulty.KeepTorn, rng), r.options, r.possible(), why)
					states++
				}
			}
			return nil
		})
		o := r.options
		o.At = nil
		s, err := Open(killed, o)
		if err != nil {
			t.Fatalf("Open: %v", err)
		}
		why := fmt.Sprintf("kill before operation %d (%s %s)", op.N, op.Kind, op.Name)
		held := wantOneOf(t, s, r.possible(), why)
		verify(t, killed.PowerCut(faulty.KeepTorn, rng), r.options, []content{held}, why+", power cut once it is open")
		killed.Before(nil)
		next := store.Batch{Records: []record.Record{scriptRecord(rng, 1<<40)}}
		if err := s.Apply(next); err != nil {
			t.Fatalf("%s: Apply: %v", why, err)
		}
		verify(t, killed.PowerCut(faulty.KeepTorn, rng), r.options, []content{held.with(next)}, why+", power cut after one more record")
		return s.segments.close()
	})
	for _, s := range script(rng, steps) {
		if err := r.do(s); err != nil {
			t.Fatalf("step %+v: %v", s, err)
		}
	}
	if states < 100 {
		t.Errorf("only %d states were tried, want at least 100", states)
	}
}

// TestSurvivesKillAtEveryPoint kills the process at each named point, ten times at least, with the system's cache intact and, the
// next moment, without it.
func TestSurvivesKillAtEveryPoint(t *testing.T) {
	hits := map[string]int{}
	rng := rand.New(rand.NewPCG(2, 6))
	d := faulty.New()
	r := newRunner(d, small())
	r.options.At = func(point string) {
		hits[point]++
		if hits[point] > 40 {
			return
		}
		verify(t, d.Clone(), r.options, r.possible(), "kill at "+point)
		verify(t, d.PowerCut(faulty.KeepNone, rng), r.options, r.possible(), "power cut at "+point)
	}
	for i, s := range script(rng, 600) {
		if i%40 == 39 { // a crash with a torn write, from which the script goes on
			r.crashTorn(t, d)
		}
		if err := r.do(s); err != nil {
			t.Fatalf("step %+v: %v", s, err)
		}
	}
	for _, point := range []string{
		PointAppend, PointWritten, PointSynced, PointSeen, PointRotateCreated, PointRotateSealed, PointHintWritten, PointCompactCopied,
		PointCompactNamed, PointCompactSwung, PointCompactDone, PointRecoverCut, PointRecoverSwept,
	} {
		if hits[point] < 10 {
			t.Errorf("point %s was hit %d times, want at least 10", point, hits[point])
		}
	}
}

// crashTorn ends the store as if killed in the middle of a write, and of a compaction.
func (r *runner) crashTorn(t *testing.T, d *faulty.Disk) {
	t.Helper()
	if r.store == nil {
		return
	}
	active := r.store.active.name()
	if err := r.store.segments.close(); err != nil {
		t.Fatal(err)
	}
	d.Put(active, append(d.Bytes(active), `{"key":"torn","version":"0000`...))
	d.Put("segment-00000001.jsonl.tmp", []byte("half a compaction"))
	r.store = nil
}

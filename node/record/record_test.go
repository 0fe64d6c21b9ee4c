package record_test

import (
	"math/rand/v2"
	"slices"
	"sync"
	"testing"
	"time"

	"ringkv/node/record"
)

func TestVersionTextSortsAsVersionsDo(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 2))
	for range 10_000 {
		a := record.Version{HLC: rng.Uint64() >> rng.IntN(64), Writer: rng.Uint64()}
		b := record.Version{HLC: rng.Uint64() >> rng.IntN(64), Writer: rng.Uint64()}
		if rng.IntN(4) == 0 {
			b.HLC = a.HLC
		}
		if got, want := a.String() < b.String(), a.Compare(b) < 0; got != want {
			t.Fatalf("%v < %v as text is %v, as versions %v", a, b, got, want)
		}
		back, err := record.ParseVersion(a.String())
		if err != nil || back != a {
			t.Fatalf("ParseVersion(%q) = %v, %v, want %v", a, back, err, a)
		}
	}
}

func FuzzParseVersion(f *testing.F) {
	f.Add("019a8c4f2b710000-5f2e11c09ab3d477")
	f.Add("")
	f.Add("019A8C4F2B710000-5f2e11c09ab3d477")
	f.Fuzz(func(t *testing.T, s string) {
		v, err := record.ParseVersion(s)
		if err != nil {
			return
		}
		again, err := record.ParseVersion(v.String())
		if err != nil || again != v {
			t.Fatalf("ParseVersion(%q) = %v; its text reads as %v, %v", s, v, again, err)
		}
	})
}

// FuzzNewer: merging is commutative, associative and idempotent.
func FuzzNewer(f *testing.F) {
	f.Add(uint64(1), uint64(1), uint64(1), uint64(2), uint64(2), uint64(0))
	f.Fuzz(func(t *testing.T, ah, aw, bh, bw, ch, cw uint64) {
		rec := func(h, w uint64) record.Record {
			// one version, one record: the value follows from the version
			return record.Record{Key: "k", Version: record.Version{HLC: h, Writer: w}, Deleted: h%3 == 0}
		}
		a, b, c := rec(ah, aw), rec(bh, bw), rec(ch, cw)
		same := func(x, y record.Record) bool { return x.Version == y.Version && x.Deleted == y.Deleted }
		if !same(record.Newer(a, b), record.Newer(b, a)) {
			t.Errorf("Newer(%v, %v) depends on the order", a, b)
		}
		if !same(record.Newer(record.Newer(a, b), c), record.Newer(a, record.Newer(b, c))) {
			t.Errorf("Newer of %v, %v, %v depends on the grouping", a, b, c)
		}
		if !same(record.Newer(a, a), a) {
			t.Errorf("Newer(%v, itself) is another", a)
		}
	})
}

// wall is a clock on the wall that tests move by hand.
type wall struct {
	mu sync.Mutex
	t  time.Time
}

func (w *wall) now() time.Time { w.mu.Lock(); defer w.mu.Unlock(); return w.t }
func (w *wall) move(d time.Duration) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.t = w.t.Add(d)
}

func at(ms int64) record.Version { return record.Version{HLC: uint64(ms) << 16} }

func TestClockNeverGoesBack(t *testing.T) {
	w := &wall{t: time.UnixMilli(1_000_000)}
	c := record.NewClock(w.now, 7, 5*time.Second)
	last := c.Next(record.Version{})
	for i, step := range []time.Duration{time.Millisecond, 0, -4 * time.Second, time.Hour, -4 * time.Second, 0} {
		w.move(step)
		next := c.Next(record.Version{})
		if !next.After(last) {
			t.Fatalf("step %d (%v): %v is not after %v", i, step, next, last)
		}
		last = next
	}
}

// A clock that had run an hour ahead is of use again once it is set right, and never stamps a version twice.
func TestClockBeginsAgainOnceTheWallIsSetRight(t *testing.T) {
	w := &wall{t: time.UnixMilli(1_000_000)}
	c := record.NewClock(w.now, 7, 5*time.Second)
	seen := map[record.Version]bool{}
	for _, step := range []time.Duration{0, time.Hour, -time.Hour, 0, time.Hour, -time.Hour, 10 * time.Minute, -10 * time.Minute} {
		w.move(step)
		for range 3 {
			v := c.Next(record.Version{})
			if seen[v] {
				t.Fatalf("%v was stamped twice", v)
			}
			seen[v] = true
			if record.TooFarAhead(v, record.Version{}, w.now(), 5*time.Second) {
				t.Fatalf("%v is too far ahead of %v: every node would refuse it", v, w.now())
			}
		}
	}
}

func TestNextFollowsWhatWasSeen(t *testing.T) {
	w := &wall{t: time.UnixMilli(1_000_000)}
	c := record.NewClock(w.now, 7, 5*time.Second)
	seen := at(1_004_000)
	if v := c.Next(seen); !v.After(seen) {
		t.Fatalf("Next(%v) = %v, want a later one", seen, v)
	}
	c.Observe(at(1_004_500))
	if v := c.Next(record.Version{}); !v.After(at(1_004_500)) {
		t.Fatalf("Next = %v, want one after the version observed", v)
	}
}

// A key written by a clock an hour ahead stays writable, and the clock of the other keys stays where it is.
func TestFarVersionIsFollowedButDragsNothing(t *testing.T) {
	w := &wall{t: time.UnixMilli(1_000_000)}
	c := record.NewClock(w.now, 7, 5*time.Second)
	far := at(1_000_000 + time.Hour.Milliseconds())
	c.Observe(far)
	first, second := c.Next(far), c.Next(far)
	if !first.After(far) || !second.After(first) {
		t.Fatalf("Next(%v) = %v, then %v: want each later than the one before", far, first, second)
	}
	if v := c.Next(record.Version{}); v.Time().After(w.now().Add(5 * time.Second)) {
		t.Fatalf("Next = %v (%v) for another key: dragged along by the far one", v, v.Time())
	}
}

// Two keys far ahead, one further than the other: neither makes the other's successors too far ahead of what they follow.
func TestFarVersionsOfManyKeys(t *testing.T) {
	w := &wall{t: time.UnixMilli(1_000_000)}
	c := record.NewClock(w.now, 7, 5*time.Second)
	seen := map[record.Version]bool{}
	for range 3 {
		for _, minutes := range []int64{60, 10, 60, 30, 10} {
			after := at(1_000_000 + minutes*60_000)
			v := c.Next(after)
			if !v.After(after) || record.TooFarAhead(v, after, w.now(), 5*time.Second) || seen[v] {
				t.Fatalf("Next(%v) = %v: want a later one, not too far ahead of it, and a new one (seen: %v)", after, v, seen[v])
			}
			seen[v] = true
		}
	}
}

// What was stamped far ahead of the wall is not stamped again once the wall has come near.
func TestFarVersionIsNotStampedAgainLater(t *testing.T) {
	w := &wall{t: time.UnixMilli(1_000_000)}
	c := record.NewClock(w.now, 7, 5*time.Second)
	seen := at(1_005_001)
	first := c.Next(seen) // and nobody has seen it when the next one is stamped
	w.move(10 * time.Millisecond)
	if second := c.Next(seen); second == first {
		t.Fatalf("two writes share version %v", first)
	}
}

func TestVersionsOfOneClockDiffer(t *testing.T) {
	w := &wall{t: time.UnixMilli(1_000_000)}
	c := record.NewClock(w.now, 7, 5*time.Second)
	far := at(2_000_000)
	const workers, each = 8, 500
	got := make([][]record.Version, workers)
	var wg sync.WaitGroup
	for i := range workers {
		wg.Go(func() {
			for j := range each {
				after := record.Version{}
				if j%2 == 0 {
					after = far
				}
				got[i] = append(got[i], c.Next(after))
			}
		})
	}
	wg.Wait()
	all := slices.Concat(got...)
	slices.SortFunc(all, record.Version.Compare)
	if n := len(slices.Compact(all)); n != workers*each {
		t.Fatalf("%d distinct versions of %d", n, workers*each)
	}
}

func TestTooFarAhead(t *testing.T) {
	now := time.UnixMilli(1_000_000)
	for _, tt := range []struct {
		name    string
		v, base record.Version
		want    bool
	}{
		{"past", at(1), record.Version{}, false},
		{"within the skew", at(1_004_999), record.Version{}, false},
		{"beyond it", at(1_005_001), record.Version{}, true},
		{"successor of a far one", at(9_000_001), at(9_000_000), false},
		{"far beyond its base", at(9_000_000), at(1_000_000), true},
	} {
		if got := record.TooFarAhead(tt.v, tt.base, now, 5*time.Second); got != tt.want {
			t.Errorf("%s: TooFarAhead = %v, want %v", tt.name, got, tt.want)
		}
	}
}

package jsonstore

import (
	"math/rand/v2"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/goleak"

	"ringkv/node/record"
	"ringkv/node/store"
	"ringkv/node/store/disk/faulty"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// TestDiskStaysInBounds overwrites few keys many times and leaves compaction to the background: the disk must come down to three times what
// lives, and a segment or two.
func TestDiskStaysInBounds(t *testing.T) {
	o := small()
	o.Manual, o.SegmentBytes = false, 8<<10
	s, err := Open(faulty.New(), o)
	if err != nil {
		t.Fatal(err)
	}
	rng := rand.New(rand.NewPCG(1, 2))
	want := newContent()
	for version := range uint64(3000) {
		b := store.Batch{Records: []record.Record{scriptRecord(rng, version+1)}}
		if err := s.Apply(b); err != nil {
			t.Fatal(err)
		}
		want = want.with(b)
	}
	deadline := time.Now().Add(20 * time.Second)
	for {
		st := s.Stats()
		if st.DiskBytes <= 3*st.LiveBytes+2*o.SegmentBytes {
			break
		}
		if time.Now().After(deadline) {
			t.Fatalf("Stats() = %+v, want at most three times the live bytes on disk", st)
		}
		s.background.wake()
		if err := s.Check(t.Context()); err != nil { // gives the goroutine a turn
			t.Fatal(err)
		}
	}
	if difference := want.differs(s); difference != "" {
		t.Error(difference)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
}

// TestCompactionKeepsToItsRate, however long the lines are that it reads.
func TestCompactionKeepsToItsRate(t *testing.T) {
	for _, size := range []int{1 << 10, 1 << 20} {
		synctest.Test(t, func(t *testing.T) {
			o := Options{Node: "n1", Disk: "d1", SegmentBytes: 8 << 20, Manual: true, CompactRate: 1 << 20}
			s, err := Open(faulty.New(), o)
			if err != nil {
				t.Fatal(err)
			}
			for i := range 10 << 20 / size { // half of the first segment is garbage by the end
				r := record.Record{Key: scriptKey(i % max(1, 4<<20/size)), Version: record.Version{HLC: uint64(i + 1)}, Value: make([]byte, size)}
				if err := s.Apply(store.Batch{Records: []record.Record{r}}); err != nil {
					t.Fatal(err)
				}
			}
			read, began := s.sealed()[0].size.Load(), time.Now()
			if err := s.Compact(t.Context()); err != nil {
				t.Fatal(err)
			}
			took, want := time.Since(began), time.Duration(float64(read)/float64(o.CompactRate)*float64(time.Second))
			if took < want-time.Second || took > want+time.Second {
				t.Errorf("values of %d bytes: compacting %d bytes took %v, want about %v", size, read, took, want)
			}
			if err := s.Close(); err != nil {
				t.Fatal(err)
			}
		})
	}
}

// TestCompactionKeepsWritesThatCameMeanwhile lets writes come in at each step of a compaction.
func TestCompactionKeepsWritesThatCameMeanwhile(t *testing.T) {
	for _, point := range []string{PointCompactCopied, PointCompactNamed, PointCompactSwung, PointCompactDone} {
		t.Run(point, func(t *testing.T) {
			rng := rand.New(rand.NewPCG(3, 4))
			d := faulty.New()
			r := newRunner(d, small())
			version := uint64(0)
			apply := func() {
				for range 5 {
					version++
					if err := r.do(step{batch: store.Batch{Records: []record.Record{scriptRecord(rng, version)}}}); err != nil {
						t.Fatal(err)
					}
				}
			}
			compactions := 0
			r.options.At = func(at string) {
				if at == point {
					compactions++
					apply()
				}
			}
			for range 30 {
				apply()
			}
			if err := r.do(step{do: "compact"}); err != nil {
				t.Fatal(err)
			}
			if compactions == 0 {
				t.Fatal("nothing was compacted")
			}
			wantOneOf(t, r.store, []content{r.acked}, "after compaction")
			verify(t, d.Clone(), r.options, []content{r.acked}, "after compaction and a kill")
		})
	}
}

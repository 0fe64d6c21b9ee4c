package jsonstore

import (
	"math/rand/v2"
	"testing"
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

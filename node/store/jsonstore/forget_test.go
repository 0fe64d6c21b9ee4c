package jsonstore

import (
	"bytes"
	"fmt"
	"strings"
	"testing"

	"ringkv/hashring"
	"ringkv/node/record"
	"ringkv/node/store"
	"ringkv/node/store/disk/faulty"
)

// A forgetful store has segments that the test rotates itself.
type forgetful struct {
	*testing.T
	disk    *faulty.Disk
	store   *Store
	version uint64
}

func newForgetful(t *testing.T) *forgetful {
	f := &forgetful{T: t, disk: faulty.New()}
	f.open()
	return f
}

func (f *forgetful) open() {
	f.Helper()
	o := small()
	o.SegmentBytes = 64 << 10
	var err error
	if f.store, err = Open(f.disk, o); err != nil {
		f.Fatal(err)
	}
}

// reopen opens the store again, without hints of some segments.
func (f *forgetful) reopen(hintless ...int) {
	f.Helper()
	if err := f.store.Close(); err != nil {
		f.Fatal(err)
	}
	for _, number := range hintless {
		if err := f.disk.Drop(hintName(number)); err != nil {
			f.Fatal(err)
		}
	}
	f.open()
}

func (f *forgetful) apply(records ...record.Record) {
	f.Helper()
	for _, r := range records {
		f.version++
		r.Version = record.Version{HLC: f.version}
		if err := f.store.Apply(store.Batch{Records: []record.Record{r}}); err != nil {
			f.Fatal(err)
		}
	}
}

func (f *forgetful) forget(key string) {
	f.Helper()
	if err := f.store.Forget(hashring.SlotOf(key), record.Version{HLC: f.version}); err != nil {
		f.Fatal(err)
	}
	if _, ok := f.store.Head(key); ok {
		f.Fatalf("%q is there though it was forgotten", key)
	}
}

func (f *forgetful) rotate() {
	f.Helper()
	f.store.commit.Lock()
	defer f.store.commit.Unlock()
	if err := f.store.rotateLocked(); err != nil {
		f.Fatal(err)
	}
}

// compact compacts the segments of these numbers, worthwhile or not.
func (f *forgetful) compact(numbers ...int) {
	f.Helper()
	f.store.maintenance.Lock()
	defer f.store.maintenance.Unlock()
	var run []*segment
	for _, seg := range f.store.sealed() {
		for _, number := range numbers {
			if seg.number == number {
				run = append(run, seg)
			}
		}
	}
	if err := f.store.compactRun(f.Context(), run); err != nil {
		f.Fatal(err)
	}
	if err := f.store.writeHints(f.Context(), f.store.sealed()); err != nil {
		f.Fatal(err)
	}
}

// wantLine checks whether any segment has a line with that text.
func (f *forgetful) wantLine(text string, want bool) {
	f.Helper()
	for _, name := range names(f.T, f.disk) {
		if strings.HasPrefix(name, "segment-") && strings.Contains(string(f.disk.Bytes(name)), text) {
			if !want {
				f.Fatalf("%s has %s, want it gone", name, text)
			}
			return
		}
	}
	if want {
		f.Fatalf("no segment has %s", text)
	}
}

func (f *forgetful) wantDead(key string) {
	f.Helper()
	if r, ok, err := f.store.Get(key); err != nil || ok && !r.Deleted {
		f.Fatalf("Get(%q) = %v, %v, %v, want none, or a tombstone", key, r, ok, err)
	}
}

func value(key string) record.Record {
	return record.Record{Key: key, Value: []byte("value of " + key)}
}
func gone(key string) record.Record { return record.Record{Key: key, Deleted: true} }

// TestForgottenTombstoneShadowsAnOlderValue compacts the segment of a forgotten tombstone while an older value lies in an earlier one: its line must
// stay until that is gone, and then go, with its memory. That hints leave the value out must not hide it.
func TestForgottenTombstoneShadowsAnOlderValue(t *testing.T) {
	for _, reopened := range []string{"never", "before forgetting", "after forgetting", "without a hint of the tombstone"} {
		t.Run(reopened, func(t *testing.T) {
			f := newForgetful(t)
			f.apply(value("k"), value("stays"))
			f.rotate()
			f.apply(gone("k"), value("other"))
			f.rotate()
			f.apply(value("last"))
			switch reopened {
			case "before forgetting":
				f.reopen()
			case "without a hint of the tombstone":
				f.reopen(2)
			}
			f.forget("k")
			if reopened == "after forgetting" {
				f.reopen()
				f.forget("k")
			}
			f.compact(2)
			f.wantLine(`"key":"k","version":"0000000000000003-0000000000000000","deleted":true`, true)
			f.reopen(1, 2, 3) // nothing but the lines
			f.wantDead("k")
			f.forget("k")
			f.compact(1)
			f.wantLine(`value of k"`, false)
			f.forget("k")
			f.compact(2)
			f.wantLine(`"deleted":true`, false)
			if n := len(f.store.index.table([]byte("k")).entries); n != 0 {
				t.Errorf("%d keys in memory, want none", n)
			}
			if n := f.store.index.forgotten.Load(); n != 0 {
				t.Errorf("%d forgotten keys are counted, want none", n)
			}
			f.reopen(1, 2, 3)
			f.wantDead("k")
			f.compact(1, 2)
			f.reopen()
			f.wantDead("k")
			if err := f.store.Close(); err != nil {
				t.Fatal(err)
			}
		})
	}
}

// TestForgottenKeysGoThoughTheFirstSegmentStays makes and deletes keys beside a segment that is never compacted: their memory and their disk come back.
func TestForgottenKeysGoThoughTheFirstSegmentStays(t *testing.T) {
	f := newForgetful(t)
	large := func(key string) record.Record { return record.Record{Key: key, Value: bytes.Repeat([]byte{'x'}, 500)} }
	for i := range 30 {
		f.apply(large(fmt.Sprintf("base-%d", i)))
	}
	f.rotate()
	base := f.store.segments.list()[0].ident
	for round := range 5 {
		for i := range 40 {
			f.apply(large(scriptKey(i)))
		}
		f.rotate()
		for i := range 40 {
			f.apply(gone(scriptKey(i)))
		}
		f.rotate()
		for i := range 40 {
			f.forget(scriptKey(i))
		}
		if err := f.store.Compact(t.Context()); err != nil {
			t.Fatal(err)
		}
		if f.store.index.forgotten.Load() != 0 {
			t.Errorf("round %d: %d forgotten keys are left", round, f.store.index.forgotten.Load())
		}
		if st := f.store.Stats(); st.Keys != 30 || st.DiskBytes > 26<<10 {
			t.Errorf("round %d: Stats() = %+v, want the base's keys and bytes", round, st)
		}
		if f.store.segments.list()[0].ident != base {
			t.Error("the first segment was compacted, which it needn't")
		}
	}
	f.reopen()
	for i := range 40 {
		f.wantDead(scriptKey(i))
	}
	if err := f.store.Close(); err != nil {
		t.Fatal(err)
	}
}

// TestForgetWhileACompactionIsUnderWay forgets a tombstone, or writes its key again, between the copying of its line and the swing.
func TestForgetWhileACompactionIsUnderWay(t *testing.T) {
	for _, point := range []string{PointCompactCopied, PointCompactNamed, PointCompactSwung} {
		for _, what := range []string{"forget", "write", "write, delete, forget"} {
			t.Run(point+", "+what, func(t *testing.T) {
				f := newForgetful(t)
				f.apply(value("k"), value("stays"))
				f.rotate()
				f.apply(value("k"), gone("k"), value("other"))
				f.rotate()
				if what != "forget" {
					f.forget("k")
				}
				f.store.options.At = func(at string) {
					if at != point {
						return
					}
					switch what {
					case "forget":
						f.forget("k")
					case "write":
						f.apply(value("k"))
					default:
						f.apply(value("k"), gone("k"))
						f.forget("k")
					}
				}
				f.compact(1, 2)
				f.store.options.At = func(string) {}
				f.rotate()
				f.forget("k2")
				f.compact(3)
				f.compact(2, 3)
				f.reopen(3, 4)
				r, ok, err := f.store.Get("k")
				if alive := ok && !r.Deleted; err != nil || alive != (what == "write") {
					t.Errorf("Get(k) = %v, %v, %v", r, ok, err)
				}
				if err := f.store.Close(); err != nil {
					t.Fatal(err)
				}
			})
		}
	}
}

// TestForgetsWhatACompactionHasCopied deletes a key and forgets it between the copying of its value and the swing: the copy is older, and must stay shadowed
// when the segment of the tombstone is compacted alone.
func TestForgetsWhatACompactionHasCopied(t *testing.T) {
	f := newForgetful(t)
	f.apply(value("k"), value("stays"))
	f.rotate()
	f.store.options.At = func(at string) {
		if at == PointCompactCopied {
			f.apply(gone("k"))
		}
	}
	f.compact(1)
	f.store.options.At = func(string) {}
	f.forget("k")
	f.rotate()
	f.compact(2)
	f.reopen(1, 2, 3)
	f.wantDead("k")
	f.forget("k")
	f.compact(1, 2)
	f.wantLine("value of k", false)
	f.reopen(2, 3)
	if _, ok := f.store.Head("k"); ok {
		t.Error("k is known, though nothing of it is left")
	}
	if err := f.store.Close(); err != nil {
		t.Fatal(err)
	}
}

package jsonstore

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"ringkv/hashring"
	"ringkv/node/record"
	"ringkv/node/store"
	"ringkv/node/store/disk/faulty"
)

// TestDropStaysWhileACompactionIsUnderWay drops slots at each step of a compaction that has copied their records, or is about to: none may come back.
func TestDropStaysWhileACompactionIsUnderWay(t *testing.T) {
	for _, point := range []string{PointCompactCopied, PointCompactNamed, PointCompactSwung, PointCompactDone} {
		t.Run(point, func(t *testing.T) {
			d := faulty.New()
			r := newRunner(d, small())
			at := func(string) {}
			r.options.At = func(p string) { at(p) }
			for i := range 60 {
				if err := r.do(step{batch: putsFor(i, 2)}); err != nil {
					t.Fatal(err)
				}
			}
			dropped := 0
			at = func(p string) {
				if p != point || dropped > 0 {
					return
				}
				dropped++
				b := store.Batch{Records: []record.Record{scriptPut(3, 1000)}}
				for key := range r.acked.records {
					if slot := hashring.SlotOf(key); slot%3 > 0 || key == scriptKey(3) {
						b.Drop = append(b.Drop, slot)
					}
				}
				if err := r.do(step{batch: b}); err != nil {
					t.Error(err)
				}
				verify(t, d.Clone(), r.options, []content{r.acked}, "dropped, then killed")
			}
			for range 2 {
				if err := r.do(step{do: "compact"}); err != nil {
					t.Fatal(err)
				}
				wantOneOf(t, r.store, []content{r.acked}, "after compaction")
				verify(t, d.Clone(), r.options, []content{r.acked}, "after compaction and a kill")
			}
			if dropped == 0 {
				t.Fatal("nothing was compacted")
			}
		})
	}
}

func scriptPut(i int, version uint64) record.Record {
	return record.Record{Key: scriptKey(i), Version: record.Version{HLC: version}, Value: fmt.Appendf(nil, "value %d", version)}
}

func putsFor(i, n int) (b store.Batch) {
	for j := range n {
		b.Records = append(b.Records, scriptPut((i*n+j)%scriptKeys, uint64(i*n+j+1)))
	}
	return b
}

// TestDropGivesDiskAndMemoryBack fills slots and drops them: the disk comes down, the tables are empty, and once nothing older is left, so is what says
// that they were dropped.
func TestDropGivesDiskAndMemoryBack(t *testing.T) {
	d := faulty.New()
	r := newRunner(d, small())
	r.options.SegmentBytes = 24 << 10
	for i := range 200 {
		if err := r.do(step{batch: putsFor(i, 3)}); err != nil {
			t.Fatal(err)
		}
	}
	b := store.Batch{Records: []record.Record{scriptPut(0, 5000)}}
	for i := range scriptKeys {
		b.Drop = append(b.Drop, hashring.SlotOf(scriptKey(i)))
	}
	if err := r.do(step{batch: b}); err != nil {
		t.Fatal(err)
	}
	s := r.store
	if st := s.Stats(); st.Keys != 1 || st.Tombstones != 0 {
		t.Errorf("Stats() = %+v, want one key", st)
	}
	for i := range scriptKeys {
		if table := s.index.table([]byte(scriptKey(i))); len(table.entries) > 1 || cap(table.keys) > 64 {
			t.Errorf("the table of %s has %d keys, %d bytes, want it empty", scriptKey(i), len(table.entries), cap(table.keys))
		}
	}
	s.commit.Lock()
	err := s.rotateLocked()
	s.commit.Unlock()
	if err != nil {
		t.Fatal(err)
	}
	if err := s.Compact(t.Context()); err != nil {
		t.Fatal(err)
	}
	if st := s.Stats(); st.DiskBytes > 3<<10 {
		t.Errorf("Stats() = %+v, want little on disk", st)
	}
	for _, seg := range s.segments.list() {
		if strings.Contains(string(d.Bytes(seg.name())), "dropped") {
			t.Errorf("%s still says what was dropped, though nothing is older", seg.name())
		}
	}
	verify(t, d.Clone(), r.options, []content{r.acked}, "after a kill")
}

// TestDropEndsDoubtAboutRecords damages a line beyond recognition. A drop, and the records that come with it, are not in doubt; the slot's state is,
// until it is stored anew.
func TestDropEndsDoubtAboutRecords(t *testing.T) {
	d := faulty.New()
	r := newRunner(d, Options{Manual: true})
	slot := hashring.SlotOf(scriptKey(1))
	for _, b := range []store.Batch{
		{Records: []record.Record{scriptPut(1, 1), scriptPut(2, 2)}, Slots: []store.SlotState{{Slot: slot, State: []byte("1")}}},
		{Records: []record.Record{scriptPut(3, 3)}},
		{Records: []record.Record{scriptPut(4, 4)}},
	} {
		if err := r.do(step{batch: b}); err != nil {
			t.Fatal(err)
		}
	}
	name := r.store.active.name()
	data := d.Bytes(name)
	data[strings.Index(string(data), scriptKey(3))] ^= 1
	d.Put(name, data)
	reopen := func() *Store {
		s, err := Open(d, Options{Manual: true})
		if err != nil {
			t.Fatal(err)
		}
		return s
	}
	s := reopen()
	if !s.Doubtful(slot) {
		t.Fatal("the slot isn't in doubt")
	}
	if err := s.Apply(store.Batch{Drop: []int{slot}, Records: []record.Record{scriptPut(1, 9)}}); err != nil {
		t.Fatal(err)
	}
	for range 2 {
		if got, ok, err := s.Get(scriptKey(1)); err != nil || !ok || !sameRecord(got, scriptPut(1, 9)) {
			t.Errorf("Get of what came after the drop = %v, %v, %v", got, ok, err)
		}
		if err := s.Heads(slot, "", func(string, store.Head) bool { return true }); err != nil {
			t.Errorf("Heads of the dropped slot: %v", err)
		}
		if want := store.Fingerprint(scriptKey(1), record.Version{HLC: 9}, false); s.Digest(slot) != want {
			t.Errorf("Digest = %x, want %x", s.Digest(slot), want)
		}
		if !s.Doubtful(slot) {
			t.Error("the state of the slot isn't in doubt any more")
		}
		if _, _, err := s.Get(scriptKey(2)); !errors.Is(err, store.ErrCorrupt) {
			t.Errorf("Get of another slot's key: %v, want %v", err, store.ErrCorrupt)
		}
		if err := s.segments.close(); err != nil {
			t.Fatal(err)
		}
		s = reopen()
	}
	if err := s.Apply(store.Batch{Slots: []store.SlotState{{Slot: slot, State: []byte("2")}}}); err != nil {
		t.Fatal(err)
	}
	for range 2 {
		if s.Doubtful(slot) {
			t.Error("the slot is still in doubt")
		}
		if err := s.Compact(t.Context()); err != nil {
			t.Fatal(err)
		}
		if err := s.Close(); err != nil {
			t.Fatal(err)
		}
		s = reopen()
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
}

// TestDamageFoundWhileRunning flips a bit under an open store. The Get that meets it must make Head, Heads and the digest tell of it, and storing the record again
// must make all good.
func TestDamageFoundWhileRunning(t *testing.T) {
	d := faulty.New()
	r := newRunner(d, Options{Manual: true})
	if err := r.do(step{batch: store.Batch{Records: []record.Record{scriptPut(1, 1), scriptPut(2, 2)}}}); err != nil {
		t.Fatal(err)
	}
	s, slot := r.store, hashring.SlotOf(scriptKey(1))
	healthy := s.Digest(slot)
	at := strings.Index(string(d.Bytes(s.active.name())), "value 1")
	if _, err := s.active.file.WriteAt([]byte("V"), int64(at)); err != nil {
		t.Fatal(err)
	}
	if _, _, err := s.Get(scriptKey(1)); !errors.Is(err, store.ErrCorrupt) {
		t.Fatalf("Get of a damaged record: %v, want %v", err, store.ErrCorrupt)
	}
	want := store.Head{Version: record.Version{HLC: 1}, Damaged: true}
	if h, ok := s.Head(scriptKey(1)); !ok || h != want {
		t.Errorf("Head = %+v, %v, want %+v", h, ok, want)
	}
	heads := map[string]store.Head{}
	if err := s.Heads(slot, "", func(key string, h store.Head) bool { heads[key] = h; return true }); err != nil || heads[scriptKey(1)] != want {
		t.Errorf("Heads gave %v, %v, want %+v", heads, err, want)
	}
	if s.Digest(slot) == healthy {
		t.Error("the digest is that of a healthy slot")
	}
	if err := r.do(step{batch: store.Batch{Records: []record.Record{scriptPut(1, 1)}}}); err != nil {
		t.Fatal(err)
	}
	if s.Digest(slot) != healthy {
		t.Error("the digest is not that of a healthy slot though the record was stored again")
	}
	wantOneOf(t, s, []content{r.acked}, "after the repair")
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
}

// TestDropKeepsItsTurn lets a drop wait between two writes to its slot for their turn: what came before it is dropped, what came after it stays.
func TestDropKeepsItsTurn(t *testing.T) {
	d := faulty.New()
	r := newRunner(d, Options{Manual: true})
	if err := r.open(); err != nil {
		t.Fatal(err)
	}
	s, slot := r.store, hashring.SlotOf(scriptKey(1))
	errs := make(chan error)
	s.commit.Lock()
	batches := []store.Batch{
		{Records: []record.Record{scriptPut(1, 1), scriptPut(2, 1)}},
		{Drop: []int{slot}},
		{Records: []record.Record{scriptPut(1, 2)}},
		{Drop: []int{hashring.SlotOf(scriptKey(2))}},
	}
	for i, b := range batches {
		go func() { errs <- s.Apply(b) }()
		waitForQueue(t, s, i+1)
		r.acked = r.acked.with(b)
	}
	s.commit.Unlock()
	for range batches {
		if err := <-errs; err != nil {
			t.Fatal(err)
		}
	}
	wantOneOf(t, s, []content{r.acked}, "after the drops")
	verify(t, d.Clone(), r.options, []content{r.acked}, "after the drops and a kill")
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
}

func waitForQueue(t *testing.T, s *Store, n int) {
	t.Helper()
	for deadline := time.Now().Add(20 * time.Second); ; time.Sleep(time.Millisecond) {
		s.queue.mu.Lock()
		waiting := len(s.queue.waiting)
		s.queue.mu.Unlock()
		if waiting == n {
			return
		}
		if time.Now().After(deadline) {
			t.Fatalf("%d requests wait, want %d", waiting, n)
		}
	}
}

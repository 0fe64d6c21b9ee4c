package jsonstore

import (
	"context"
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"testing"

	"ringkv/hashring"
	"ringkv/node/record"
	"ringkv/node/store"
	"ringkv/node/store/disk"
	"ringkv/node/store/disk/faulty"
)

// small makes rotation, compaction and hints come often.
func small() Options {
	return Options{Node: "n1", Disk: "d1", SegmentBytes: 2 << 10, Manual: true, CompactRate: 1 << 30}
}

// A content is what a store should hold.
type content struct {
	records   map[string]record.Record
	states    map[int]string
	forgotten map[string]record.Record // tombstones that may be there again once the store was opened again
}

func newContent() content {
	return content{map[string]record.Record{}, map[int]string{}, map[string]record.Record{}}
}

// with returns a content on which b was applied.
func (c content) with(b store.Batch) content {
	next := content{maps.Clone(c.records), maps.Clone(c.states), maps.Clone(c.forgotten)}
	dropped := func(key string, _ record.Record) bool { return slices.Contains(b.Drop, hashring.SlotOf(key)) }
	maps.DeleteFunc(next.records, dropped)
	maps.DeleteFunc(next.forgotten, dropped)
	for _, r := range b.Records {
		delete(next.forgotten, r.Key)
		next.records[r.Key] = r
	}
	for _, s := range b.Slots {
		next.states[s.Slot] = string(s.State)
	}
	return next
}

// without returns a content in which a slot's tombstones were forgotten.
func (c content) without(slot int, upTo record.Version) content {
	next := content{maps.Clone(c.records), c.states, maps.Clone(c.forgotten)}
	for key, r := range c.records {
		if hashring.SlotOf(key) == slot && r.Deleted && !r.Version.After(upTo) && !r.Ballot.After(upTo) {
			next.forgotten[key] = r
			delete(next.records, key)
		}
	}
	return next
}

// digests returns the digests of the slots that the keys of scripts lie in.
func (c content) digests() map[int]uint64 {
	all := map[int]uint64{}
	for i := range scriptKeys {
		all[hashring.SlotOf(scriptKey(i))] = 0
	}
	for key, r := range c.records {
		all[hashring.SlotOf(key)] += store.Fingerprint(key, r.Version, r.Deleted)
	}
	return all
}

const (
	scriptKeys  = 25
	scriptSlots = 3
)

func scriptKey(i int) string { return fmt.Sprintf("key-%d", i) }

// differs says where the store holds something else than c, "" when nowhere.
func (c content) differs(s *Store) string {
	digests := c.digests()
	for i := range scriptKeys {
		key := scriptKey(i)
		want, exists := c.records[key]
		got, ok, err := s.Get(key)
		if back, was := c.forgotten[key]; was && ok && err == nil && sameRecord(got, back) {
			digests[hashring.SlotOf(key)] += store.Fingerprint(key, got.Version, got.Deleted)
			continue
		}
		if err != nil || ok != exists || ok && !sameRecord(got, want) {
			return fmt.Sprintf("Get(%q) = %v, %v, %v, want %v, %v", key, got, ok, err, want, exists)
		}
	}
	for slot, want := range digests {
		if got := s.Digest(slot); got != want {
			return fmt.Sprintf("Digest(%d) = %x, want %x", slot, got, want)
		}
	}
	for slot := range scriptSlots {
		if got := string(s.SlotState(slot)); got != c.states[slot] {
			return fmt.Sprintf("SlotState(%d) = %q, want %q", slot, got, c.states[slot])
		}
	}
	return ""
}

func headOf(r record.Record) store.Head {
	return store.Head{Version: r.Version, Deleted: r.Deleted, Marked: r.Derived || !r.Origin.IsZero() || !r.Ballot.IsZero()}
}

func sameRecord(a, b record.Record) bool {
	return a.Key == b.Key && a.Version == b.Version && a.Deleted == b.Deleted && a.Type == b.Type && string(a.Value) == string(b.Value) &&
		a.Derived == b.Derived && a.Origin == b.Origin && a.Ballot == b.Ballot
}

// A step of a script is a batch to apply, or something else to do.
type step struct {
	batch store.Batch
	do    string // compact, reopen, check, forget, or empty
	slot  int    // to forget tombstones of
	upTo  uint64
}

// script makes up n steps. Keys are few, so that segments fill with garbage.
func script(rng *rand.Rand, n int) []step {
	steps := make([]step, n)
	version := uint64(0)
	for i := range steps {
		switch rng.IntN(40) {
		case 0:
			steps[i].do = "compact"
			continue
		case 1:
			steps[i].do = "reopen"
			continue
		case 2:
			steps[i].do = "check"
			continue
		case 3, 4, 5, 6:
			steps[i].do, steps[i].slot = "forget", hashring.SlotOf(scriptKey(rng.IntN(scriptKeys)))
			steps[i].upTo = version - min(version, rng.Uint64N(9))
			continue
		}
		b := &steps[i].batch
		for rng.IntN(12) == 0 {
			b.Drop = append(b.Drop, hashring.SlotOf(scriptKey(rng.IntN(scriptKeys))))
		}
		for range 1 + rng.IntN(4) {
			version++
			b.Records = append(b.Records, scriptRecord(rng, version))
		}
		if rng.IntN(4) == 0 {
			b.Slots = append(b.Slots, store.SlotState{Slot: rng.IntN(scriptSlots), State: fmt.Appendf(nil, `{"promised":%d}`, version)})
		}
	}
	return steps
}

func scriptRecord(rng *rand.Rand, version uint64) record.Record {
	r := record.Record{Key: scriptKey(rng.IntN(scriptKeys)), Version: record.Version{HLC: version, Writer: 9}}
	switch rng.IntN(12) {
	case 0:
		return record.Record{Key: r.Key, Ballot: r.Version}
	case 1:
		r.Derived, r.Origin, r.Ballot = true, record.Version{HLC: version / 2}, record.Version{HLC: version + 1}
	}
	if rng.IntN(5) == 0 {
		r.Deleted = true
		return r
	}
	value := make([]byte, rng.IntN(100))
	for i := range value {
		value[i] = byte(' ' + rng.IntN(90))
	}
	r.Value = append(value, fmt.Sprint(version)...)
	return r
}

// A runner runs a script on a disk, knowing at each moment what was acknowledged.
type runner struct {
	disk    disk.Disk
	options Options
	store   *Store
	acked   content
	flying  *store.Batch // not acknowledged yet
}

func newRunner(d disk.Disk, o Options) *runner {
	return &runner{disk: d, options: o, acked: newContent()}
}

// open opens the store if it isn't open.
func (r *runner) open() (err error) {
	if r.store == nil {
		r.store, err = Open(r.disk, r.options)
	}
	return err
}

// do runs one step. The error is that of the store.
func (r *runner) do(s step) error {
	if err := r.open(); err != nil {
		return err
	}
	switch s.do {
	case "compact":
		return r.store.Compact(context.Background())
	case "check":
		return r.store.Check(context.Background())
	case "forget":
		return r.forget(s.slot, record.Version{HLC: s.upTo, Writer: 1 << 60})
	case "reopen":
		err := r.store.Close()
		r.store = nil
		if err != nil {
			return err
		}
		return r.open()
	}
	r.flying = &s.batch
	err := r.store.Apply(s.batch)
	if err == nil {
		r.acked = r.acked.with(s.batch)
	}
	r.flying = nil
	return err
}

// forget lets the store forget tombstones, and checks that it has.
func (r *runner) forget(slot int, upTo record.Version) error {
	if err := r.store.Forget(slot, upTo); err != nil {
		return err
	}
	r.acked = r.acked.without(slot, upTo)
	for key := range r.acked.forgotten {
		if _, ok := r.store.Head(key); ok && hashring.SlotOf(key) == slot {
			return fmt.Errorf("%q is there though it was forgotten", key)
		}
	}
	return nil
}

// possible are the contents that a crash at this moment may leave.
func (r *runner) possible() []content {
	if r.flying == nil {
		return []content{r.acked}
	}
	return []content{r.acked, r.acked.with(*r.flying)}
}

// verify opens the store on what a crash has left of its disk, where it must hold one of the contents. Then it writes on, and opens
// it again.
func verify(t *testing.T, d *faulty.Disk, o Options, possible []content, why string) {
	t.Helper()
	found := verifyHeld(t, d, o, possible, why)
	o.At = nil
	s, err := Open(d, o)
	if err != nil {
		t.Fatalf("%s: Open again: %v", why, err)
	}
	next := store.Batch{Records: []record.Record{{Key: scriptKey(0), Version: record.Version{HLC: 1 << 40}, Value: []byte("after the crash")}}}
	if err := s.Apply(next); err != nil {
		t.Fatalf("%s: Apply after the crash: %v", why, err)
	}
	if err := s.segments.close(); err != nil { // as if killed
		t.Fatal(err)
	}
	verifyHeld(t, d, o, []content{found.with(next)}, why+", then one more record and a kill")
}

// verifyHeld is the first part of verify, and returns the content that it found.
func verifyHeld(t *testing.T, d *faulty.Disk, o Options, possible []content, why string) content {
	t.Helper()
	o.At = nil
	s, err := Open(d, o)
	if err != nil {
		t.Fatalf("%s: Open: %v", why, err)
	}
	if n := s.damaged.Load(); n != 0 { // cheaper than Stats, thousands of times
		t.Fatalf("%s: %d damaged lines, want none", why, n)
	}
	if length, size := len(d.Bytes(s.active.name())), int(s.active.size.Load()); length != size {
		t.Fatalf("%s: the last segment has %d bytes, want the torn end cut at %d", why, length, size)
	}
	found := wantOneOf(t, s, possible, why)
	if err := s.segments.close(); err != nil { // as if killed
		t.Fatal(err)
	}
	return found
}

func wantOneOf(t *testing.T, s *Store, possible []content, why string) content {
	t.Helper()
	differences := ""
	for _, c := range possible {
		difference := c.differs(s)
		if difference == "" {
			return c
		}
		differences += "\n" + difference
	}
	t.Fatalf("%s: the store holds none of the %d contents possible:%s", why, len(possible), differences)
	return content{}
}

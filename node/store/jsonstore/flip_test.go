package jsonstore

import (
	"bytes"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"ringkv/hashring"
	"ringkv/node/record"
	"ringkv/node/store"
	"ringkv/node/store/disk/faulty"
)

// filled returns a disk with some segments, of which one was compacted. With hints the store was closed; without, it was killed and the hints
// were removed.
func filled(t *testing.T, hints bool) (*faulty.Disk, *runner, []store.Batch) {
	t.Helper()
	d := faulty.New()
	r := newRunner(d, small())
	r.options.SegmentBytes = 1 << 10
	var batches []store.Batch
	for i, s := range script(rand.New(rand.NewPCG(7, 7)), 22) {
		if s.do == "" {
			batches = append(batches, s.batch)
		}
		if i == 15 {
			s.do = "compact"
		}
		if err := r.do(s); err != nil {
			t.Fatal(err)
		}
	}
	if err := r.do(step{batch: store.Batch{Records: []record.Record{{Key: "last", Version: record.Version{HLC: 1 << 30}, Value: []byte("write")}}}}); err != nil {
		t.Fatal(err)
	}
	if len(r.store.segments.list()) < 3 {
		t.Fatalf("%d segments, want some", len(r.store.segments.list()))
	}
	if err := r.store.Close(); err != nil {
		t.Fatal(err)
	}
	r.store = nil
	for _, name := range names(t, d) {
		if strings.HasPrefix(name, "hint-") && !hints {
			if err := d.Drop(name); err != nil {
				t.Fatal(err)
			}
		}
	}
	return d, r, batches
}

func names(t *testing.T, d *faulty.Disk) []string {
	t.Helper()
	all, err := d.List()
	if err != nil {
		t.Fatal(err)
	}
	return all
}

// TestNeverServesDamage flips a bit of each byte of each file. Then the store must refuse to open, or give for each key what was stored or
// ErrCorrupt: never another value, never an older one, never none. With hints that is so to the last byte; without them only
// the very last write may be taken for one that was torn.
func TestNeverServesDamage(t *testing.T) {
	for _, hints := range []bool{true, false} {
		t.Run(fmt.Sprintf("hints=%v", hints), func(t *testing.T) {
			d, r, _ := filled(t, hints)
			rng := rand.New(rand.NewPCG(8, 8))
			tally := map[string]int{}
			for _, name := range names(t, d) {
				data := d.Bytes(name)
				for at := rng.IntN(every); at < len(data); at += every {
					damaged := append([]byte{}, data...)
					damaged[at] ^= 1 << rng.IntN(8)
					c := d.Clone()
					c.Put(name, damaged)
					tally[examine(t, rng, c, r.acked, fmt.Sprintf("%s byte %d", name, at))]++
				}
			}
			t.Logf("%v", tally)
			if tally["set aside"] == 0 {
				t.Error("no damage was ever set aside")
			}
		})
	}
}

// TestNeverServesMuchDamage does several things at once to a store without hints: flips bits, blanks sectors, loses lines, repeats lines, in all
// but the very last write, which can't be told from one that was torn.
func TestNeverServesMuchDamage(t *testing.T) {
	d, r, _ := filled(t, false)
	var segments []string
	for _, name := range names(t, d) {
		if strings.HasPrefix(name, "segment-") {
			segments = append(segments, name)
		}
	}
	for seed := range uint64(4000 / every) {
		rng := rand.New(rand.NewPCG(seed, 9))
		c := d.Clone()
		why := fmt.Sprintf("seed %d:", seed)
		for range 1 + rng.IntN(3) {
			i := rng.IntN(len(segments))
			what := ""
			lines := bytes.SplitAfter(c.Bytes(segments[i]), []byte{'\n'})
			lines, what = hurt(rng, lines)
			why += fmt.Sprintf(" %s in %s", what, segments[i])
			c.Put(segments[i], bytes.Join(lines, nil))
		}
		examine(t, rng, c, r.acked, why)
	}
}

// hurt damages the lines of a segment, but for the header and the last one.
func hurt(rng *rand.Rand, lines [][]byte) ([][]byte, string) {
	if len(lines) < 4 {
		return lines, "nothing"
	}
	at := 1 + rng.IntN(len(lines)-3)
	line := bytes.Clone(lines[at])
	lines = slices.Clone(lines)
	switch rng.IntN(4) {
	case 0:
		return slices.Delete(lines, at, at+1), fmt.Sprintf("line %d lost", at)
	case 1:
		clear(line[:rng.IntN(len(line))])
		lines[at] = line
		return lines, fmt.Sprintf("line %d blanked", at)
	case 2:
		to := at + rng.IntN(len(lines)-2-at+1)
		return slices.Insert(lines, to, line), fmt.Sprintf("line %d repeated before %d", at, to)
	}
	line[rng.IntN(len(line))] ^= 1 << rng.IntN(8)
	lines[at] = line
	return lines, fmt.Sprintf("bit of line %d flipped", at)
}

// examine opens d and says what became of the damage.
func examine(t *testing.T, rng *rand.Rand, d *faulty.Disk, want content, why string) string {
	t.Helper()
	s, err := Open(d, small())
	if err != nil {
		if !errors.Is(err, ErrForeign) && !errors.Is(err, ErrMissing) && !errors.Is(err, ErrNewer) {
			t.Fatalf("%s: Open: %v", why, err)
		}
		return "refused"
	}
	corrupt := checkHonest(t, s, want, why)
	st := s.Stats()
	if corrupt > 0 && st.Damaged == 0 {
		t.Fatalf("%s: %d keys are damaged, but Stats() = %+v", why, corrupt, st)
	}
	outcome := "harmless"
	if st.Damaged > 0 {
		outcome = "set aside"
	}
	if rng.IntN(20) == 0 {
		repair(t, s, d, want, why)
	}
	if rng.IntN(5) > 0 {
		if err := s.segments.close(); err != nil {
			t.Fatal(err)
		}
		return outcome
	}
	return goOn(t, s, d, want, why, outcome)
}

// goOn compacts, closes and opens again: what was known to be damaged must not be forgotten.
func goOn(t *testing.T, s *Store, d *faulty.Disk, want content, why, outcome string) string {
	t.Helper()
	why += ", compacted and opened again"
	if err := s.Compact(t.Context()); err != nil {
		t.Fatalf("%s: Compact: %v", why, err)
	}
	doubtful := s.Stats().Doubtful
	checkHonest(t, s, want, why)
	if err := s.Close(); err != nil {
		t.Fatalf("%s: Close: %v", why, err)
	}
	s, err := Open(d, small())
	if err != nil {
		t.Fatalf("%s: Open: %v", why, err)
	}
	checkHonest(t, s, want, why)
	if again := s.Stats().Doubtful; again != doubtful {
		t.Fatalf("%s: %d slots are in doubt, want %d", why, again, doubtful)
	}
	if err := s.segments.close(); err != nil {
		t.Fatal(err)
	}
	return outcome
}

// checkHonest checks each answer and returns how many keys can't be read.
func checkHonest(t *testing.T, s *Store, want content, why string) (corrupt int) {
	t.Helper()
	digests := want.digests()
	for key, r := range want.records {
		got, ok, err := s.Get(key)
		h, _ := s.Head(key)
		switch {
		case errors.Is(err, store.ErrCorrupt):
			corrupt++
			if h, known := s.Head(key); !known || !h.Damaged {
				t.Fatalf("%s: Head(%q) = %v, %v of a damaged key", why, key, h, known)
			}
			if slot := hashring.SlotOf(key); s.Digest(slot) == digests[slot] && !r.Version.IsZero() {
				t.Fatalf("%s: the digest of slot %d is that of a healthy one, but %q is damaged", why, slot, key)
			}
		case key == "last" && err == nil && !ok: // taken for a torn write
		case err != nil || !ok || !sameRecord(got, r):
			t.Fatalf("%s: Get(%q) = %v, %v, %v, want %v", why, key, got, ok, err, r)
		case h != headOf(r):
			t.Fatalf("%s: Head(%q) = %v, want %v", why, key, h, r)
		}
	}
	for i := range scriptKeys {
		key := scriptKey(i)
		if _, known := want.records[key]; known {
			continue
		}
		if got, ok, err := s.Get(key); ok && sameRecord(got, want.forgotten[key]) {
			continue
		} else if ok || err != nil && !errors.Is(err, store.ErrCorrupt) {
			t.Fatalf("%s: Get(%q) = %v, %v, %v, want none: it was dropped or forgotten", why, key, got, ok, err)
		}
	}
	for slot, state := range want.states {
		if got := string(s.SlotState(slot)); got != state && !s.Doubtful(slot) {
			t.Fatalf("%s: SlotState(%d) = %q, want %q, and it isn't in doubt", why, slot, got, state)
		}
	}
	return corrupt
}

// repair stores everything again, as a replica does from what the other owners hold, with a drop of what is in doubt, and checks that all doubt has ended
// for good, and that compaction then clears the damage away.
func repair(t *testing.T, s *Store, d *faulty.Disk, want content, why string) {
	t.Helper()
	b := store.Batch{}
	for slot := range hashring.Slots {
		if s.Doubtful(slot) {
			b.Drop = append(b.Drop, slot)
		}
	}
	for _, r := range want.records {
		b.Records = append(b.Records, r)
	}
	if err := s.Apply(b); err != nil {
		t.Fatal(err)
	}
	for slot, state := range want.states {
		if err := s.Apply(store.Batch{Slots: []store.SlotState{{Slot: slot, State: []byte(state)}}}); err != nil {
			t.Fatal(err)
		}
	}
	for slot := range hashring.Slots {
		if s.Doubtful(slot) {
			if err := s.Repaired(slot); err != nil {
				t.Fatal(err)
			}
		}
	}
	if err := s.Compact(t.Context()); err != nil {
		t.Fatalf("%s: Compact after repair: %v", why, err)
	}
	c := d.Clone()
	again, err := Open(c, small())
	if err != nil {
		t.Fatalf("%s: Open after repair: %v", why, err)
	}
	if difference := want.differs(again); difference != "" {
		t.Fatalf("%s: after repair %s", why, difference)
	}
	if n := again.Stats().Doubtful; n > 0 {
		t.Fatalf("%s: after repair %d slots are in doubt", why, n)
	}
	if err := again.segments.close(); err != nil {
		t.Fatal(err)
	}
}

// TestQuarantinesDamageInTheMiddle looks at one case closely: a line whose value is damaged, and one whose key is.
func TestQuarantinesDamageInTheMiddle(t *testing.T) {
	for _, c := range []struct {
		what, damage string
		doubtful     int
	}{
		{"value", "new value", 0},
		{"key", "damaged-key", hashring.Slots},
	} {
		t.Run(c.what, func(t *testing.T) {
			d := faulty.New()
			r := newRunner(d, Options{Manual: true})
			puts := []struct{ key, value string }{{"before", "1"}, {"damaged-key", "old value"}, {"damaged-key", "new value"}, {"after", "2"}}
			for i, p := range puts {
				b := store.Batch{Records: []record.Record{{Key: p.key, Version: record.Version{HLC: uint64(i + 1)}, Value: []byte(p.value)}}}
				if err := r.do(step{batch: b}); err != nil {
					t.Fatal(err)
				}
			}
			name := r.store.active.name()
			data := d.Bytes(name)
			data[strings.LastIndex(string(data), c.damage)] ^= 1
			d.Put(name, data)
			s, err := Open(d, Options{Manual: true})
			if err != nil {
				t.Fatal(err)
			}
			if _, _, err := s.Get("damaged-key"); !errors.Is(err, store.ErrCorrupt) {
				t.Errorf("Get(damaged-key): %v, want %v", err, store.ErrCorrupt)
			}
			if _, _, err := s.Get("after"); err != nil {
				t.Errorf("Get(after): %v", err)
			}
			if _, _, err := s.Get("before"); errors.Is(err, store.ErrCorrupt) != (c.doubtful > 0) {
				t.Errorf("Get(before): %v", err)
			}
			if _, _, err := s.Get("never was"); errors.Is(err, store.ErrCorrupt) != (c.doubtful > 0) {
				t.Errorf("Get(never was): %v", err)
			}
			elsewhere := (hashring.SlotOf("damaged-key") + 1) % hashring.Slots
			err = s.Walk(elsewhere, "", func(record.Record) bool { return true })
			if errors.Is(err, store.ErrCorrupt) != (c.doubtful > 0) {
				t.Errorf("Walk of another slot: %v", err)
			}
			err = s.Walk(hashring.SlotOf("damaged-key"), "", func(record.Record) bool { return true })
			if !errors.Is(err, store.ErrCorrupt) {
				t.Errorf("Walk of the damaged slot: %v, want %v", err, store.ErrCorrupt)
			}
			if st := s.Stats(); st.Damaged != 1 || st.Doubtful != c.doubtful {
				t.Errorf("Stats() = %+v, want 1 damaged, %d doubtful", st, c.doubtful)
			}
			copies := 0
			for _, file := range names(t, d) {
				if strings.HasPrefix(file, "quarantine-") && strings.Contains(string(data), string(d.Bytes(file))) {
					copies++
				}
			}
			if copies != 1 {
				t.Errorf("%d quarantine files with the damaged line, want 1: %v", copies, names(t, d))
			}
		})
	}
}

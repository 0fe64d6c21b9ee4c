package storetest

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"ringkv/hashring"
	"ringkv/node/record"
	"ringkv/node/store"
)

func isANewStoreEmpty(s *subject) {
	s.open()
	s.wantsNone("nothing")
	if st := s.store.Stats(); st.Keys != 0 || st.Tombstones != 0 || st.LiveBytes != 0 || st.Damaged != 0 {
		s.Errorf("Stats() = %+v, want no keys, no bytes, no damage", st)
	}
	if v := s.store.MaxVersion(); !v.IsZero() {
		s.Errorf("MaxVersion() = %v, want zero", v)
	}
	if err := s.store.Apply(store.Batch{}); err != nil {
		s.Errorf("Apply of an empty batch: %v", err)
	}
}

func doesItReturnWhatWasApplied(s *subject) {
	s.open()
	first, second := put("a/b", "one", 1), put("c", "", 2)
	first.Type = "text/plain; charset=utf-8"
	s.apply(first, second)
	s.wants(first)
	s.wants(second)
	s.wantsNone("a")
	if s.reopen() {
		s.wants(first)
		s.wants(second)
		s.wantsNone("a")
	}
}

func areOddBytesKept(s *subject) {
	s.open()
	odd := []string{"\x00", "\xff\xfe", "\xc3\x28", "a\nb\r\tc", `"\`, "\u2028é漢😀", "<&>", "\x7f\x1f", strings.Repeat(`\"`, 999), `{"a":[1]}`, " ", "\\u0041", "\xed\xa0\x80"}
	var all []record.Record
	for i, text := range odd {
		r := put(fmt.Sprintf("%d-%s", i, text), text, uint64(i+1))
		r.Type = text
		all = append(all, r)
	}
	all = append(all, put("large", strings.Repeat("0123456789\x00", 100_000), 99), put(strings.Repeat("k", 1024), "v", 100))
	s.apply(all...)
	check := func() {
		for _, r := range all {
			s.wants(r)
		}
	}
	check()
	if s.reopen() {
		check()
	}
}

func doesTheLastRecordOfAKeyWin(s *subject) {
	s.open()
	older, newer := put("k", "newer version, first", 9), put("k", "older version, last", 3)
	s.apply(older)
	s.apply(newer)
	s.wants(newer)
	inOne := put("twice", "last", 2)
	s.apply(put("twice", "first", 1), inOne)
	s.wants(inOne)
	if s.reopen() {
		s.wants(newer)
		s.wants(inOne)
	}
}

func areDeletionsRecords(s *subject) {
	s.open()
	s.apply(put("k", "v", 1))
	gone := tombstone("k", 2)
	gone.Value, gone.Type = []byte("left over"), "text/plain"
	s.apply(gone, tombstone("never was", 3))
	s.wants(gone)
	s.wants(tombstone("never was", 3))
	back := put("never was", "came", 4)
	s.apply(back)
	s.wants(back)
	if s.reopen() {
		s.wants(gone)
		s.wants(back)
	}
}

func isTheCallersMemoryLeftAlone(s *subject) {
	s.open()
	value, state := []byte("value"), []byte(`{"a":1}`)
	if err := s.store.Apply(store.Batch{
		Records: []record.Record{{Key: "k", Version: record.Version{HLC: 1}, Value: value}},
		Slots:   []store.SlotState{{Slot: 3, State: state}},
	}); err != nil {
		s.Fatal(err)
	}
	copy(value, "XXXXX")
	copy(state, "XXXXX")
	s.wants(record.Record{Key: "k", Version: record.Version{HLC: 1}, Value: []byte("value")})
	if got := s.store.SlotState(3); string(got) != `{"a":1}` {
		s.Errorf("SlotState(3) = %s, want what was applied", got)
	}
}

func doesWalkGoInOrder(s *subject) {
	s.open()
	const slot = 5
	keys := keysOf(slot, 40)
	for i, key := range slices.Backward(keys) {
		s.apply(put(key, key, uint64(i+1)))
	}
	s.apply(tombstone(keys[7], 100), put(keysOf(slot+1, 1)[0], "elsewhere", 101))
	walk := func(after string, limit int) (got []string) {
		err := s.store.Walk(slot, after, func(r record.Record) bool {
			if r.Deleted != (r.Key == keys[7]) || !r.Deleted && string(r.Value) != r.Key {
				s.Errorf("Walk gave %v", r)
			}
			got = append(got, r.Key)
			return len(got) < limit
		})
		if err != nil {
			s.Fatalf("Walk: %v", err)
		}
		return got
	}
	for _, c := range []struct {
		after string
		limit int
		want  []string
	}{
		{"", 1000, keys},
		{"", 3, keys[:3]},
		{keys[2], 1000, keys[3:]},
		{keys[2] + "\x00", 1, keys[3:4]},
		{keys[39], 10, nil},
	} {
		if got := walk(c.after, c.limit); !slices.Equal(got, c.want) {
			s.Errorf("Walk(after %q, %d) = %q, want %q", c.after, c.limit, got, c.want)
		}
	}
	if s.reopen() {
		if got := walk("", 1000); !slices.Equal(got, keys) {
			s.Errorf("after reopening Walk = %q, want %q", got, keys)
		}
	}
}

// keysOf returns n keys of one slot, in order.
func keysOf(slot, n int) []string {
	var keys []string
	for i := 0; len(keys) < n; i++ {
		if key := fmt.Sprintf("key-%d", i); hashring.SlotOf(key) == slot {
			keys = append(keys, key)
		}
	}
	slices.Sort(keys)
	return keys
}

func areSlotStatesKept(s *subject) {
	s.open()
	states := []string{`{"promised":12,"owners":["a","b"]}`, `null`, `not json`, "", "{\"line\":\n1}", " [1] "}
	if got := s.store.SlotState(9); got != nil {
		s.Errorf("SlotState(9) = %q, want nil", got)
	}
	check := func(why string) {
		for i, want := range states {
			if got := s.store.SlotState(i); string(got) != want {
				s.Errorf("%s: SlotState(%d) = %q, want %q", why, i, got, want)
			}
		}
	}
	for i, text := range states {
		s.applySlots(store.SlotState{Slot: i, State: []byte("old")}, store.SlotState{Slot: hashring.Slots - 1, State: []byte("x")})
		s.applySlots(store.SlotState{Slot: i, State: []byte(text)})
	}
	check("after Apply")
	if s.reopen() {
		check("after reopening")
		if got := s.store.SlotState(9); got != nil {
			s.Errorf("SlotState(9) = %q, want nil", got)
		}
	}
}

func doesMaxVersionNeverGoBack(s *subject) {
	s.open()
	newest := put("k", "v", 90)
	s.apply(newest)
	s.apply(put("k", "older", 5), put("other", "v", 7))
	check := func() {
		s.Helper()
		if v := s.store.MaxVersion(); newest.Version.After(v) {
			s.Fatalf("MaxVersion() = %v, want at least %v", v, newest.Version)
		}
	}
	check()
	newest.Version.HLC++
	s.apply(record.Record{Key: "promised", Ballot: newest.Version})
	check()
	newest.Version.HLC++
	s.apply(record.Record{Key: "k", Version: record.Version{HLC: 8}, Origin: newest.Version})
	check()
	s.apply(put("promised", "v", 9), put("k", "v", 9))
	for s.reopen() {
		check()
		if err := s.store.Compact(context.Background()); err != nil {
			s.Fatalf("Compact: %v", err)
		}
		check()
		if newest = put("k", "v", newest.Version.HLC+1); newest.Version.HLC > 95 {
			return
		}
		s.apply(newest)
	}
}

func areStatsRight(s *subject) {
	s.open()
	s.apply(put("a", "1", 1), put("b", "2", 2), put("a", "3", 3), tombstone("c", 4))
	s.apply(tombstone("b", 5), record.Record{Key: "promised", Ballot: record.Version{HLC: 6}})
	check := func() {
		st := s.store.Stats()
		if st.Keys != 1 || st.Tombstones != 2 || st.LiveBytes <= 0 || st.Damaged != 0 || st.Doubtful != 0 {
			s.Errorf("Stats() = %+v, want 1 key, 2 tombstones, some bytes, no damage", st)
		}
	}
	check()
	if s.reopen() {
		check()
	}
}

func isEverythingRefusedAfterClose(s *subject) {
	s.open()
	s.apply(put("k", "v", 1))
	for range 2 {
		if err := s.store.Close(); err != nil {
			s.Fatalf("Close: %v", err)
		}
	}
	_, _, err := s.store.Get("k")
	for what, err := range map[string]error{
		"Get":     err,
		"Apply":   s.store.Apply(store.Batch{Records: []record.Record{put("k", "w", 2)}}),
		"Walk":    s.store.Walk(0, "", func(record.Record) bool { return true }),
		"Heads":   s.store.Heads(0, "", func(string, store.Head) bool { return true }),
		"Forget":  s.store.Forget(0, record.Version{HLC: 1}),
		"Compact": s.store.Compact(context.Background()),
		"Check":   s.store.Check(context.Background()),
	} {
		if !errors.Is(err, store.ErrClosed) {
			s.Errorf("%s after Close: %v, want %v", what, err, store.ErrClosed)
		}
	}
}

func doesCheckHeedItsContext(s *subject) {
	s.open()
	if err := s.store.Check(context.Background()); err != nil {
		s.Errorf("Check: %v", err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	if err := s.store.Check(ctx); !errors.Is(err, context.Canceled) {
		s.Errorf("Check with a cancelled context: %v, want %v", err, context.Canceled)
	}
	if err := s.store.Compact(ctx); !errors.Is(err, context.Canceled) {
		s.Errorf("Compact with a cancelled context: %v, want %v", err, context.Canceled)
	}
}

// Package storetest describes a correct store.Store. Each engine runs it.
package storetest

import (
	"testing"

	"ringkv/node/record"
	"ringkv/node/store"
)

// An Opener opens the store under test. The first call makes an empty one; each later call, made after the Close of the one
// before, opens it again. Engines that keep nothing beyond Close return nil from the second call on, and are spared the
// questions about reopening.
type Opener func(t *testing.T) store.Store

// Run asks every question. open returns an Opener for a store of its own at each call.
func Run(t *testing.T, open func(t *testing.T) Opener) {
	t.Helper()
	for _, q := range questions {
		t.Run(q.name, func(t *testing.T) {
			t.Parallel()
			q.ask(&subject{T: t, opener: open(t), again: open})
		})
	}
}

var questions = []struct {
	name string
	ask  func(*subject)
}{
	{"IsANewStoreEmpty", isANewStoreEmpty},
	{"DoesItReturnWhatWasApplied", doesItReturnWhatWasApplied},
	{"AreOddBytesKept", areOddBytesKept},
	{"DoesTheLastRecordOfAKeyWin", doesTheLastRecordOfAKeyWin},
	{"AreDeletionsRecords", areDeletionsRecords},
	{"IsTheCallersMemoryLeftAlone", isTheCallersMemoryLeftAlone},
	{"DoesWalkGoInOrder", doesWalkGoInOrder},
	{"AreSlotStatesKept", areSlotStatesKept},
	{"DoesMaxVersionNeverGoBack", doesMaxVersionNeverGoBack},
	{"AreMarksKept", areMarksKept},
	{"DoesDropForget", doesDropForget},
	{"IsADropOneWithItsBatch", isADropOneWithItsBatch},
	{"DoesForgetHideTombstones", doesForgetHideTombstones},
	{"DoesAForgottenTombstoneStayAnEnd", doesAForgottenTombstoneStayAnEnd},
	{"AreStatsRight", areStatsRight},
	{"AreHeadsLikeWalk", areHeadsLikeWalk},
	{"IsEverythingRefusedAfterClose", isEverythingRefusedAfterClose},
	{"DoesCheckHeedItsContext", doesCheckHeedItsContext},
	{"IsItLikeAMap", isItLikeAMap},
	{"IsItSafeConcurrently", isItSafeConcurrently},
}

// A subject is a store under test, with an operator's verbs. Each fails the test when it doesn't work.
type subject struct {
	*testing.T
	opener Opener
	again  func(t *testing.T) Opener // for another store
	store  store.Store
}

// open opens the store for the first time.
func (s *subject) open() {
	s.Helper()
	s.store = s.opener(s.T)
	s.Cleanup(func() {
		if err := s.store.Close(); err != nil {
			s.Errorf("Close: %v", err)
		}
	})
}

// reopen closes and opens it, and reports whether the engine can.
func (s *subject) reopen() bool {
	s.Helper()
	if err := s.store.Close(); err != nil {
		s.Fatalf("Close: %v", err)
	}
	again := s.opener(s.T)
	if again == nil {
		return false
	}
	s.store = again
	return true
}

func (s *subject) apply(records ...record.Record) {
	s.Helper()
	if err := s.store.Apply(store.Batch{Records: records}); err != nil {
		s.Fatalf("Apply(%d records): %v", len(records), err)
	}
}

func (s *subject) applySlots(states ...store.SlotState) {
	s.Helper()
	if err := s.store.Apply(store.Batch{Slots: states}); err != nil {
		s.Fatalf("Apply(%d slot states): %v", len(states), err)
	}
}

// wants checks that Get and Head say that key holds r.
func (s *subject) wants(r record.Record) {
	s.Helper()
	got, ok, err := s.store.Get(r.Key)
	if err != nil || !ok || !same(got, r) {
		s.Fatalf("Get(%q) = %v, %v, %v, want %v", r.Key, got, ok, err, r)
	}
	h, ok := s.store.Head(r.Key)
	if want := headOf(r); !ok || h != want {
		s.Fatalf("Head(%q) = %v, %v, want %v", r.Key, h, ok, want)
	}
}

// wantsNone checks that the store has never heard of key.
func (s *subject) wantsNone(key string) {
	s.Helper()
	if got, ok, err := s.store.Get(key); ok || err != nil {
		s.Fatalf("Get(%q) = %v, %v, %v, want none", key, got, ok, err)
	}
	if h, ok := s.store.Head(key); ok {
		s.Fatalf("Head(%q) = %v, want none", key, h)
	}
}

// headOf is what Head should say of r.
func headOf(r record.Record) store.Head {
	return store.Head{Version: r.Version, Deleted: r.Deleted, Marked: r.Derived || !r.Origin.IsZero() || !r.Ballot.IsZero()}
}

// same compares records as they are kept: a tombstone has neither type nor value, and no value is like an empty one.
func same(got, want record.Record) bool {
	if want.Deleted {
		want.Type, want.Value = "", nil
	}
	return got.Key == want.Key && got.Version == want.Version && got.Deleted == want.Deleted && got.Type == want.Type &&
		got.Derived == want.Derived && got.Origin == want.Origin && got.Ballot == want.Ballot && string(got.Value) == string(want.Value)
}

func put(key, value string, version uint64) record.Record {
	return record.Record{Key: key, Version: record.Version{HLC: version, Writer: 7}, Value: []byte(value)}
}

func tombstone(key string, version uint64) record.Record {
	return record.Record{Key: key, Version: record.Version{HLC: version, Writer: 7}, Deleted: true}
}

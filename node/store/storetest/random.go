package storetest

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"sync"
	"time"

	"ringkv/hashring"
	"ringkv/node/record"
	"ringkv/node/store"
)

// isItLikeAMap does random things to the store and to a map, closes, opens, and compares.
func isItLikeAMap(s *subject) {
	seed := uint64(time.Now().UnixNano())
	s.Logf("seed %d", seed)
	rng := rand.New(rand.NewPCG(seed, 0))
	s.open()
	m := newModel()
	for range 40 {
		for range rng.IntN(30) {
			b := m.batch(rng)
			if err := s.store.Apply(b); err != nil {
				s.Fatalf("Apply: %v", err)
			}
			m.apply(b)
		}
		if rng.IntN(2) == 0 {
			m.forget(s, fmt.Sprintf("key-%d", rng.IntN(60)), m.version-min(m.version, rng.Uint64N(30)))
		}
		switch rng.IntN(4) {
		case 0:
			if !s.reopen() {
				return
			}
		case 1:
			if err := s.store.Compact(context.Background()); err != nil {
				s.Fatalf("Compact: %v", err)
			}
		}
		m.compare(s)
	}
}

// A model is what a store should hold.
type model struct {
	records map[string]record.Record
	states  map[int]string
	version uint64

	forgotten map[string]record.Record // tombstones that may be back since the store was opened again
}

func newModel() *model {
	return &model{records: map[string]record.Record{}, states: map[int]string{}, forgotten: map[string]record.Record{}}
}

// batch makes up something to apply: few keys, so that they meet again.
func (m *model) batch(rng *rand.Rand) (b store.Batch) {
	for range rng.IntN(6) {
		m.version++
		r := put(fmt.Sprintf("key-%d", rng.IntN(60)), randomValue(rng), m.version)
		if rng.IntN(5) == 0 {
			r = tombstone(r.Key, m.version)
		}
		b.Records = append(b.Records, mark(rng, r))
	}
	for rng.IntN(8) == 0 {
		b.Drop = append(b.Drop, hashring.SlotOf(fmt.Sprintf("key-%d", rng.IntN(60))))
	}
	if rng.IntN(3) == 0 {
		b.Slots = append(b.Slots, store.SlotState{Slot: rng.IntN(8), State: fmt.Appendf(nil, `{"n":%d}`, rng.IntN(1e6))})
	}
	return b
}

// mark gives some records what few have.
func mark(rng *rand.Rand, r record.Record) record.Record {
	r.Derived = rng.IntN(4) == 0
	if rng.IntN(6) == 0 {
		r.Origin = record.Version{HLC: r.Version.HLC / 2, Writer: 3}
	}
	switch rng.IntN(8) {
	case 0:
		r.Ballot = record.Version{HLC: r.Version.HLC + 5, Writer: 4}
	case 1:
		r = record.Record{Key: r.Key, Ballot: r.Version}
	}
	return r
}

func randomValue(rng *rand.Rand) string {
	b := make([]byte, rng.IntN(120))
	for i := range b {
		b[i] = byte(rng.IntN(256))
		if len(b)%2 == 0 {
			b[i] = 'a' + b[i]%26
		}
	}
	return string(b)
}

func (m *model) apply(b store.Batch) {
	dropped := func(key string, _ record.Record) bool { return slices.Contains(b.Drop, hashring.SlotOf(key)) }
	maps.DeleteFunc(m.records, dropped)
	maps.DeleteFunc(m.forgotten, dropped)
	for _, r := range b.Records {
		delete(m.forgotten, r.Key)
		m.records[r.Key] = r
	}
	for _, st := range b.Slots {
		m.states[st.Slot] = string(st.State)
	}
}

// forget gives up the tombstones of a key's slot in the store and in the model.
func (m *model) forget(s *subject, key string, upTo uint64) {
	s.Helper()
	slot, version := hashring.SlotOf(key), record.Version{HLC: upTo, Writer: 1 << 60}
	if err := s.store.Forget(slot, version); err != nil {
		s.Fatalf("Forget(%d, %v): %v", slot, version, err)
	}
	for key, r := range m.records {
		if hashring.SlotOf(key) == slot && r.Deleted && !r.Version.After(version) && !r.Ballot.After(version) {
			m.forgotten[key] = r
			delete(m.records, key)
		}
	}
	for key := range m.forgotten {
		if hashring.SlotOf(key) == slot {
			s.wantsNone(key)
		}
	}
}

func (m *model) compare(s *subject) {
	s.Helper()
	for i := range 60 {
		key := fmt.Sprintf("key-%d", i)
		if r, ok := m.records[key]; ok {
			s.wants(r)
		} else if h, back := s.store.Head(key); back && h == headOf(m.forgotten[key]) {
			s.wants(m.forgotten[key])
		} else {
			s.wantsNone(key)
		}
	}
	for slot := range 8 {
		if got := string(s.store.SlotState(slot)); got != m.states[slot] {
			s.Fatalf("SlotState(%d) = %q, want %q", slot, got, m.states[slot])
		}
	}
	walked := 0
	for slot := range hashring.Slots {
		last := ""
		if err := s.store.Walk(slot, "", func(r record.Record) bool {
			if h, back := m.forgotten[r.Key]; !back || !same(r, h) {
				walked++
			}
			if r.Key <= last || !same(r, m.records[r.Key]) && !same(r, m.forgotten[r.Key]) {
				s.Errorf("Walk(%d) gave %v after %q, want %v", slot, r, last, m.records[r.Key])
			}
			last = r.Key
			return true
		}); err != nil {
			s.Fatalf("Walk(%d): %v", slot, err)
		}
	}
	if walked != len(m.records) {
		s.Fatalf("Walk gave %d records, want %d", walked, len(m.records))
	}
	s.wantsDigests()
}

// isItSafeConcurrently lets readers look on while writers write and the store is compacted: what a reader has seen of a key must never
// go back, and what an Apply has returned must be seen.
func isItSafeConcurrently(s *subject) {
	const writers, rounds, keys = 3, 120, 12
	s.open()
	ctx, stop := context.WithCancel(context.Background())
	var readers, all sync.WaitGroup
	for w := range writers {
		readers.Go(func() { s.watch(ctx, w, keys) })
		all.Go(func() { s.writeRounds(w, rounds, keys) })
	}
	readers.Go(func() { s.churn(ctx, writers, keys) })
	readers.Go(func() {
		for ctx.Err() == nil {
			if err := s.store.Compact(ctx); err != nil && ctx.Err() == nil {
				s.Errorf("Compact: %v", err)
				return
			}
			s.store.Stats()
		}
	})
	all.Wait()
	stop()
	readers.Wait()
	for w := range writers {
		for k := range keys {
			key := fmt.Sprintf("%d-%d", w, k)
			s.wants(put(key, fmt.Sprint(rounds), rounds))
		}
	}
}

// churn makes keys in a slot of its own, deletes, forgets and drops them: after each drop the slot must be as empty as at first.
func (s *subject) churn(ctx context.Context, writers, keys int) {
	taken := map[int]bool{}
	for w := range writers {
		for k := range keys {
			taken[hashring.SlotOf(fmt.Sprintf("%d-%d", w, k))] = true
		}
	}
	slot := 0
	for taken[slot] {
		slot++
	}
	mine := keysOf(slot, 3)
	for version := uint64(1); ctx.Err() == nil; version += 2 {
		kept := put(mine[2], "kept", version)
		err := s.store.Apply(store.Batch{Records: []record.Record{put(mine[0], "v", version), put(mine[1], "v", version), kept}})
		err = errors.Join(err, s.store.Apply(store.Batch{Records: []record.Record{tombstone(mine[0], version+1)}}))
		err = errors.Join(err, s.store.Forget(slot, record.Version{HLC: version + 2}))
		if h, ok := s.store.Head(mine[0]); ok {
			s.Errorf("Head(%q) = %+v after Forget, want none", mine[0], h)
		}
		err = errors.Join(err, s.store.Apply(store.Batch{Drop: []int{slot}, Records: []record.Record{kept}}))
		want := store.Fingerprint(kept.Key, kept.Version, false)
		if got := s.store.Digest(slot); err != nil || got != want {
			s.Errorf("Digest(%d) = %x, %v after a drop, want %x", slot, got, err, want)
			return
		}
	}
}

func (s *subject) writeRounds(w, rounds, keys int) {
	for round := 1; round <= rounds; round++ {
		var b store.Batch
		for k := range keys {
			b.Records = append(b.Records, put(fmt.Sprintf("%d-%d", w, k), fmt.Sprint(round), uint64(round)))
		}
		if err := s.store.Apply(b); err != nil {
			s.Errorf("Apply: %v", err)
			return
		}
		last := b.Records[keys-1]
		if r, ok, err := s.store.Get(last.Key); !ok || err != nil || !same(r, last) {
			s.Errorf("Get(%q) right after Apply = %v, %v, %v, want %v", last.Key, r, ok, err, last)
			return
		}
	}
}

func (s *subject) watch(ctx context.Context, w, keys int) {
	seen := make([]uint64, keys)
	for ctx.Err() == nil {
		for _, k := range rand.Perm(keys) {
			key := fmt.Sprintf("%d-%d", w, k)
			h, _ := s.store.Head(key)
			r, ok, err := s.store.Get(key)
			if err != nil || ok && string(r.Value) != fmt.Sprint(r.Version.HLC) || r.Version.HLC < h.Version.HLC || h.Version.HLC < seen[k] {
				s.Errorf("Get(%q) = %v, %v, %v after Head %v and version %d", key, r, ok, err, h, seen[k])
				return
			}
			seen[k] = r.Version.HLC
		}
	}
}

package storetest

import (
	"context"
	"fmt"
	"math/rand/v2"
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
}

func newModel() *model {
	return &model{records: map[string]record.Record{}, states: map[int]string{}}
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
	for _, r := range b.Records {
		m.records[r.Key] = r
	}
	for _, st := range b.Slots {
		m.states[st.Slot] = string(st.State)
	}
}

func (m *model) compare(s *subject) {
	s.Helper()
	for i := range 60 {
		key := fmt.Sprintf("key-%d", i)
		if r, ok := m.records[key]; ok {
			s.wants(r)
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
			walked++
			if r.Key <= last || !same(r, m.records[r.Key]) {
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

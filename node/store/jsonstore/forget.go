package jsonstore

import (
	"errors"
	"fmt"
	"io/fs"

	"ringkv/node/record"
	"ringkv/node/store"
)

// Forget implements store.Store. It reads the lines of tombstones with marks, to learn their ballots. One that is being written again meanwhile may
// stay, and so do those that are damaged or in doubt. Memory and disk come back when their segments are compacted.
func (s *Store) Forget(slot int, upTo record.Version) error {
	if s.closed.Load() {
		return store.ErrClosed
	}
	var errs []error
	for _, key := range s.index.forget(slot, upTo) {
		if err := s.forgetMarked(string(key), upTo); err != nil {
			errs = append(errs, fmt.Errorf("forget %q: %w", key, err))
		}
	}
	if x := s.index; x.forgotten.Load() > wakeForgotten+(x.keys.Load()+x.deleted.Load())/4 {
		s.background.wake()
	}
	return errors.Join(errs...)
}

const (
	wakeForgotten = 1000 // fewer wait for the next segment
	forgetTries   = 10
)

// forgetMarked reads the record's ballot before it gives it up.
func (s *Store) forgetMarked(key string, upTo record.Version) error {
	for range forgetTries {
		e, ok, _ := s.index.get(key)
		if !ok || !e.forgettable(upTo) {
			return nil
		}
		r, err := s.read(key, e)
		switch {
		case errors.Is(err, fs.ErrClosed): // compaction has moved it
			continue
		case errors.Is(err, store.ErrCorrupt) || err == nil && r.Ballot.After(upTo):
			return nil
		case err != nil:
			return err
		case s.index.forgetAt(key, e.spot):
			return nil
		}
	}
	return nil
}

// forgettable reports whether the entry is a tombstone up to that version, of whatever ballot.
func (e *entry) forgettable(upTo record.Version) bool {
	return e.flags&(flagDeleted|flagDamaged|flagUnsure|flagForgotten) == flagDeleted && !e.version.After(upTo)
}

// forget gives up the slot's tombstones up to a version, and returns the keys of those that may have a later ballot.
func (x *index) forget(slot int, upTo record.Version) (marked [][]byte) {
	t := &x.tables[slot]
	t.mu.Lock()
	defer t.mu.Unlock()
	for i := range t.entries {
		switch e := &t.entries[i]; {
		case !e.forgettable(upTo):
		case e.flags&flagMarked != 0:
			marked = append(marked, t.keyOf(i))
		default:
			x.forgetLocked(t, i)
		}
	}
	return marked
}

// forgetAt gives up the tombstone of key if its line still lies at s.
func (x *index) forgetAt(key string, s spot) bool {
	k := bytesOf(key)
	t := x.table(k)
	t.mu.Lock()
	defer t.mu.Unlock()
	i := t.findLocked(x.seed, k)
	if i < 0 || t.entries[i].spot != s {
		return false
	}
	x.forgetLocked(t, i)
	return true
}

func (x *index) forgetLocked(t *table, i int) {
	x.account(&t.entries[i], -1)
	t.flagLocked(i, flagForgotten, 0)
	x.account(&t.entries[i], 1)
}

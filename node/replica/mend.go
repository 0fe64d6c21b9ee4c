package replica

import (
	"context"
	"errors"
	"maps"
	"slices"
	"time"

	"ringkv/hashring"
	"ringkv/hashring/placement"
	"ringkv/node/store"
)

const (
	mendKeys   = 4096 // damaged ones, repaired in one round
	mendValues = 16   // stored at a time: each may be as large as values get
)

// A mending finds records of this node's slots that are damaged here, and replaces them by what the other owners hold. Whether this node has settled a slot
// makes no difference, as it counts for nothing itself: the other owners have. Without that it never could, since what is damaged can't be compared.
type mending struct {
	r     *Replica
	began time.Time
	clean int                  // records that the store had found damaged when none was left in any slot: one that isn't this node's may be later
	found map[string]time.Time // damaged keys, and when that was noticed
}

// pass restores the slots that are in doubt, and replaces records that were found damaged long enough ago.
func (m *mending) pass(ctx context.Context) error {
	if m.r.opt.Clock == nil {
		return nil
	}
	return errors.Join(m.r.recoverAll(ctx, m.began), m.replaceAll(ctx))
}

// replaceAll notes which records are damaged, and replaces those for which it is time.
func (m *mending) replaceAll(ctx context.Context) error {
	damaged := m.r.store.Stats().Damaged
	if damaged == m.clean && len(m.found) == 0 {
		return nil
	}
	found := map[string]time.Time{}
	keys, others := m.r.damagedKeys()
	for _, key := range keys {
		found[key] = time.Now()
		if since, known := m.found[key]; known {
			found[key] = since
		}
	}
	m.found = found
	if len(found) == 0 && !others {
		m.clean = damaged
	}
	var why error
	due := m.due()
	for _, slot := range slices.Sorted(maps.Keys(due)) {
		if err := m.r.mend(ctx, slot, due[slot]); err != nil {
			why = err
		}
	}
	return why
}

// next is how long to wait until another key can be repaired, and no longer than most.
func (m *mending) next(most time.Duration) time.Duration {
	next := most
	for _, since := range m.found {
		if wait := m.r.repairPatience() - time.Since(since); wait > 0 {
			next = min(next, wait)
		}
	}
	return next
}

// due returns the keys that can be repaired by now, by slot: this node has taken nothing for them, nor answered, for long enough.
func (m *mending) due() map[int][]string {
	due := map[int][]string{}
	for _, key := range slices.Sorted(maps.Keys(m.found)) {
		if time.Since(m.found[key]) > m.r.repairPatience() {
			slot := hashring.SlotOf(key)
			due[slot] = append(due[slot], key)
		}
	}
	return due
}

// damagedKeys returns some of the damaged keys of the slots that this node owns and isn't in doubt about, and whether there are others.
func (r *Replica) damagedKeys() (keys []string, others bool) {
	for slot := range r.slots {
		if r.store.Plain(slot) {
			continue
		}
		s := r.slots[slot].Load()
		ours := s != nil && !r.doubt[slot].Load() && s.Promised.Owns(r.self)
		err := r.store.Heads(slot, "", func(key string, h store.Head) bool {
			switch {
			case h.Damaged && ours:
				keys = append(keys, key)
			case h.Damaged:
				others = true
			}
			return len(keys) < mendKeys
		})
		if err != nil || len(keys) == mendKeys {
			return keys, true
		}
	}
	return keys, others
}

// damaged reports whether a record of the slot is known to be damaged, or may be.
func (r *Replica) damaged(slot int) (found bool) {
	if r.store.Plain(slot) {
		return false
	}
	err := r.store.Heads(slot, "", func(_ string, h store.Head) bool {
		found = h.Damaged
		return !found
	})
	return found || err != nil
}

// alone reports whether no other node is known to have owned the slot.
func (r *Replica) alone(slot int) bool {
	return !slices.ContainsFunc(r.known(slot, r.slots[slot].Load()), func(c *placement.Config) bool { return len(r.others(c)) > 0 })
}

// mend replaces damaged records of a slot by what the other owners hold.
func (r *Replica) mend(ctx context.Context, slot int, keys []string) error {
	s := r.slots[slot].Load()
	if !s.Promised.Owns(r.self) {
		return errors.New("a slot with damaged records has moved away")
	}
	w, err := r.witnesses(ctx, slot, s.Promised)
	if err != nil {
		return err
	}
	return w.replace(ctx, keys)
}

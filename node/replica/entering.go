package replica

import (
	"sync"

	"ringkv/hashring/placement"
	"ringkv/node/record"
	"ringkv/node/wire"
)

// Bounds of what waits for keys to be pulled, above which requests are told to come back, and of what is remembered of that.
const (
	maxPulls   = 1024 // of single keys under way
	maxWaiting = 256  // requests for one key
	maxPulled  = 4096 // single keys of one slot that are remembered as pulled; one that is forgotten is pulled again
)

// entering is how far this node has come in the slots whose promised config it hasn't settled: which keys it has pulled. It does
// not outlive the process, since what was pulled may have been overtaken meanwhile.
type entering struct {
	mu    sync.Mutex // guards everything below
	slots map[int]*entry
	pulls int
}

// An entry is one slot on its way into one config.
type entry struct {
	config *placement.Config
	cursor string              // every key up to this one has been pulled,
	all    bool                // or every key at all,
	keys   map[string]struct{} // and these besides
	floor  record.Version      // with which everything up to cursor has been pulled,
	floors int                 // of so many that there were
	waits  map[string][]waiting
}

// A waiting request goes on when its key has been pulled.
type waiting struct {
	req     *wire.Request
	respond func(wire.Response)
}

// ready reports whether key has been pulled in config.
func (e *entering) ready(slot int, config *placement.Config, key string) bool {
	e.mu.Lock()
	defer e.mu.Unlock()
	entered := e.slots[slot] // which stays in its config until a later one is durably promised
	return entered != nil && entered.config.Equal(config) && entered.ready(key)
}

func (e *entry) ready(key string) bool {
	if e.all || e.cursor != "" && key <= e.cursor {
		return true
	}
	_, ok := e.keys[key]
	return ok
}

// entryLocked returns the entry of a slot into config, nil if one into a later config has begun. One into an earlier
// config is forgotten; those who wait in it find out when their pull ends.
func (e *entering) entryLocked(slot int, config *placement.Config) *entry {
	entered := e.slots[slot]
	switch {
	case entered == nil:
		entered = &entry{waits: map[string][]waiting{}}
		if e.slots == nil {
			e.slots = map[int]*entry{}
		}
		e.slots[slot] = entered
	case entered.config.Equal(config):
		return entered
	case entered.config.Generation > config.Generation:
		return nil
	}
	entered.config, entered.keys = config, map[string]struct{}{}
	entered.begin()
	return entered
}

// forgetAny forgets one of the keys that were pulled by themselves.
func (e *entry) forgetAny() {
	for key := range e.keys {
		delete(e.keys, key)
		return
	}
}

// begin forgets how far the slot's keys have been pulled in their order.
func (e *entry) begin() { e.cursor, e.all, e.floor, e.floors = "", false, record.Version{}, 0 }

// wait lets w wait for key to be pulled, and reports whether the caller has to see to that; ok is false where too much waits.
func (e *entering) wait(slot int, config *placement.Config, key string, w waiting) (first, ok bool) {
	e.mu.Lock()
	defer e.mu.Unlock()
	entered := e.entryLocked(slot, config)
	if entered == nil {
		return false, false
	}
	waits, underWay := entered.waits[key]
	if len(waits) >= maxWaiting || !underWay && e.pulls >= maxPulls {
		return false, false
	}
	entered.waits[key] = append(waits, w)
	if !underWay {
		e.pulls++
	}
	return !underWay, true
}

// done ends the pull of key, marks it as pulled in config if that is so, and returns who waited.
func (e *entering) done(slot int, config *placement.Config, key string, pulled bool) []waiting {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.pulls--
	entered := e.slots[slot]
	if entered == nil {
		return nil
	}
	if pulled && entered.config.Equal(config) {
		if len(entered.keys) >= maxPulled {
			entered.forgetAny()
		}
		entered.keys[key] = struct{}{}
	}
	waits := entered.waits[key]
	delete(entered.waits, key)
	return waits
}

// advance marks every key up to cursor as pulled in config, or all of them. floor is the highest of those from whom they were. If it
// wasn't the same all along, the slot has to be pulled again, and advance returns false: a key that nobody told of is known to be
// deleted at the floor of its page, and the slot can keep but one.
func (e *entering) advance(slot int, config *placement.Config, cursor string, all bool, floor record.Version) bool {
	e.mu.Lock()
	defer e.mu.Unlock()
	entered := e.entryLocked(slot, config)
	if entered == nil {
		return true
	}
	if entered.floors == 0 || floor != entered.floor {
		entered.floors++
		entered.floor = floor
	}
	if all && entered.floors > 1 {
		entered.begin()
		return false
	}
	entered.cursor, entered.all = cursor, all
	for key := range entered.keys {
		if all || key <= cursor {
			delete(entered.keys, key)
		}
	}
	return true
}

// progress returns how far the pull of the slot's keys had come, and with which floor.
func (e *entering) progress(slot int, config *placement.Config) (cursor string, all bool, floor record.Version) {
	e.mu.Lock()
	defer e.mu.Unlock()
	if entered := e.entryLocked(slot, config); entered != nil {
		return entered.cursor, entered.all, entered.floor
	}
	return "", false, record.Version{}
}

// forget ends the entry of a slot that has settled config.
func (e *entering) forget(slot int, config *placement.Config) {
	e.mu.Lock()
	defer e.mu.Unlock()
	if entered := e.slots[slot]; entered != nil && entered.config.Equal(config) && len(entered.waits) == 0 {
		delete(e.slots, slot)
	}
}

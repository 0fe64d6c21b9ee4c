package replica

import (
	"sync"

	"ringkv/node/record"
)

// maxAccepted bounds what is remembered of keys whose ballot is above their version. Beyond it all is forgotten, which costs
// some reads a ballot of their own.
const maxAccepted = 1 << 16

// accepted remembers in which config a record counted as accepted here when a ballot was prepared above it. It does not outlive the
// process. The zero accepted is empty; it is safe for concurrent use.
type accepted struct {
	mu   sync.Mutex // guards keys
	keys map[string]acceptance
}

type acceptance struct {
	version    record.Version
	generation uint64
}

// note remembers that version v of key counted as accepted in generation.
func (a *accepted) note(key string, v record.Version, generation uint64) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.keys == nil || len(a.keys) >= maxAccepted {
		a.keys = map[string]acceptance{}
	}
	a.keys[key] = acceptance{v, generation}
}

// forget forgets about key, of which another record is to be held, or was pulled.
func (a *accepted) forget(key string) {
	a.mu.Lock()
	defer a.mu.Unlock()
	delete(a.keys, key)
}

// firm reports whether a record that is held at version v, under a ballot, counts as accepted in generation. With the ballot above v, it may be a
// record that was pulled, and that whoever prepared the ballot has not seen: it proves nothing then. It counts only if it did
// so before the ballot was prepared here, for then the answer to that told of it.
func (a *accepted) firm(key string, v, ballot record.Version, generation uint64) bool {
	if !ballot.After(v) {
		return true
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	was, ok := a.keys[key]
	return ok && was == acceptance{v, generation}
}

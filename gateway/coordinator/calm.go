package coordinator

import (
	"sync"
	"time"
)

// wary is how long puts ask first after one of their owners has refused to store something, though nothing newer stood there.
const wary = 5 * time.Second

// calm reports whether all owners can be expected to tell what became of a write. While one says nothing, or has no room, a write that meets another
// could stay in doubt: it takes the answers of all to know. It must be decided before the first copy is sent.
func (o *operation) calm() bool {
	for _, owner := range o.owners {
		if !owner.Passing || o.c.peers.Silent(owner.ID) || o.c.refusers.lately(owner.ID) {
			return false
		}
	}
	return true
}

// refusers remember which nodes have lately refused to store something for a reason of their own: no room, say, or something damaged. The zero
// refusers are empty; they are safe for concurrent use.
type refusers struct {
	mu    sync.Mutex // guards until
	until map[string]time.Time
}

// note remembers that node has just refused. Those that no longer matter are forgotten.
func (r *refusers) note(node string) {
	now := time.Now()
	r.mu.Lock()
	defer r.mu.Unlock()
	for other, until := range r.until {
		if now.After(until) {
			delete(r.until, other)
		}
	}
	if r.until == nil {
		r.until = map[string]time.Time{}
	}
	r.until[node] = now.Add(wary)
}

// lately reports whether node has refused so lately that it may well do so again.
func (r *refusers) lately(node string) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	until, ok := r.until[node]
	return ok && time.Now().Before(until)
}

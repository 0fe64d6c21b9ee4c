package coordinator

import (
	"maps"
	"sync"
	"sync/atomic"
	"time"

	"ringkv/node/wire"
)

// lately remembers nodes for a while. The zero lately is empty; it is safe for concurrent use.
type lately struct {
	mu    sync.Mutex                           // held while until is replaced
	until atomic.Pointer[map[string]time.Time] // never changed
}

// note remembers node for so long from now. Those whose time is up are forgotten.
func (l *lately) note(node string, long time.Duration) {
	now := time.Now()
	l.mu.Lock()
	defer l.mu.Unlock()
	next := map[string]time.Time{}
	if old := l.until.Load(); old != nil {
		maps.Copy(next, *old)
	}
	maps.DeleteFunc(next, func(_ string, until time.Time) bool { return now.After(until) })
	next[node] = now.Add(long)
	l.until.Store(&next)
}

// has reports whether node is remembered.
func (l *lately) has(node string) bool {
	known := l.until.Load()
	if known == nil {
		return false
	}
	until, ok := (*known)[node]
	return ok && time.Now().Before(until)
}

// entering is how long a node is asked last after it had to fetch what it was asked for: it enters slots, and will have to fetch most of
// what else it is asked for, while the other owners have that at hand. Then one request finds out whether it still does.
const entering = time.Second

func (c *Coordinator) noteFetched(r wire.Reply) {
	if r.Err == nil && r.Response.Fetched {
		c.fetchers.note(r.Node, entering)
	}
}

package membership

import (
	"log/slog"
	"slices"
	"sync/atomic"
	"time"

	"ringkv/hashring/following"
)

// A board shows the latest Snapshot. One goroutine publishes; any number read.
type board struct {
	latest  atomic.Pointer[Snapshot]
	contact atomic.Pointer[time.Time]
	ready   chan struct{} // closed with the first snapshot

	followers following.Followers
}

func newBoard() *board { return &board{ready: make(chan struct{})} }

// Snapshot returns who is passing as far as is known, nil while nothing is. It takes one atomic load.
func (b *board) Snapshot() *Snapshot { return b.latest.Load() }

// Ready is closed once there is a Snapshot.
func (b *board) Ready() <-chan struct{} { return b.ready }

// LastContact is when the members were last confirmed, changed or not; zero if never.
func (b *board) LastContact() time.Time {
	if at := b.contact.Load(); at != nil {
		return *at
	}
	return time.Time{}
}

// Subscribe returns a channel that holds a wake-up whenever the members changed since the last one was taken: see following.Followers.
func (b *board) Subscribe() <-chan struct{} { return b.followers.Subscribe() }

func (b *board) touch() {
	now := time.Now()
	b.contact.Store(&now)
}

// publish shows members (sorted) if they differ from those shown.
func (b *board) publish(members []Member, index uint64, log *slog.Logger) {
	old := b.latest.Load()
	if old != nil && slices.Equal(old.Members, members) {
		return
	}
	b.latest.Store(&Snapshot{Members: members, Index: index, Changed: time.Now()})
	if old == nil {
		old = &Snapshot{}
		close(b.ready)
	}
	logChange(log, old.Members, members, index)
	b.followers.Wake()
}

func logChange(log *slog.Logger, old, now []Member, index uint64) {
	var changed []string
	for _, m := range now {
		if i, ok := find(old, m.ID); ok && old[i] != m {
			changed = append(changed, m.ID)
		}
	}
	log.Info("membership changed", "added", ids(missing(now, old)), "removed", ids(missing(old, now)),
		"changed", changed, "size", len(now), "index", index)
}

func ids(members []Member) []string {
	list := make([]string, len(members))
	for i, m := range members {
		list[i] = m.ID
	}
	return list
}

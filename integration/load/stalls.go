package load

import (
	"context"
	"slices"
	"sync"
	"time"

	"ringkv/integration/oracle"
)

const (
	beat = 10 * time.Millisecond
	// tooLate is what a goroutine may wait for a core besides. On a busy machine that is common, and what clients wait for before
	// anything is broken tells of it.
	tooLate = 50 * time.Millisecond
)

// A stallWatch finds out when this machine stood still, for whatever reason, and the cluster with it.
type stallWatch struct {
	mu     sync.Mutex // guards stalls
	stalls []oracle.Stall
}

// run notes each beat that comes too late, until ctx is done. now is the time of the history.
func (w *stallWatch) run(ctx context.Context, beats <-chan time.Time, now func() int64) {
	for last := now(); ctx.Err() == nil; {
		select {
		case <-beats:
		case <-ctx.Done():
		}
		at := now()
		w.note(last+int64(beat), at)
		last = at
	}
}

func (w *stallWatch) note(due, at int64) {
	if time.Duration(at-due) < tooLate {
		return
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	w.stalls = append(w.stalls, oracle.Stall{From: due, To: at})
}

func (w *stallWatch) seen() []oracle.Stall {
	w.mu.Lock()
	defer w.mu.Unlock()
	return slices.Clone(w.stalls)
}

// Stalled returns for how long the machine has stood still since then, a time of the history: in all, and the longest at a stretch.
// It is what the cluster may take longer for something than is promised.
func (l *Load) Stalled(since int64) (all, longest time.Duration) {
	return oracle.Stalled(l.watch.seen(), since, oracle.Never)
}

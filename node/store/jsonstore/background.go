package jsonstore

import (
	"context"
	"errors"

	"ringkv/node/store"
)

// background is the goroutine that compacts and writes hints when a segment was filled.
type background struct {
	cancel context.CancelFunc
	due    chan struct{} // of capacity 1
	done   chan struct{}
}

func (b *background) start(s *Store) {
	var ctx context.Context
	ctx, b.cancel = context.WithCancel(context.Background())
	b.due, b.done = make(chan struct{}, 1), make(chan struct{})
	b.due <- struct{}{} // what the last process left to do
	go func() {
		defer close(b.done)
		for {
			select {
			case <-ctx.Done():
				return
			case <-b.due:
			}
			err := s.Compact(ctx)
			if err != nil && ctx.Err() == nil && !errors.Is(err, store.ErrClosed) {
				s.log.Warn("compaction stopped and will be tried again after the next segment", "error", err)
			}
		}
	}()
}

// wake lets the goroutine look for work, if there is one. It never blocks.
func (b *background) wake() {
	select {
	case b.due <- struct{}{}:
	default:
	}
}

// stop ends the goroutine and waits for it. Calling it again, or without a start, does nothing.
func (b *background) stop() {
	if b.cancel == nil {
		return
	}
	b.cancel()
	<-b.done
}

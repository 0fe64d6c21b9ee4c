package following

import "sync"

// Followers are woken when something changes. The zero Followers are ready to use, and safe for concurrent use.
type Followers struct {
	mu    sync.Mutex // guards wakes
	wakes []chan struct{}
}

// Subscribe returns a channel that holds a wake-up whenever something changed since the last one was taken. Several
// changes make one wake-up, so that a slow subscriber holds up nobody. Subscribe first and read then, or a change is
// missed. A subscription lasts as long as its source.
func (f *Followers) Subscribe() <-chan struct{} {
	wake := make(chan struct{}, 1)
	f.mu.Lock()
	defer f.mu.Unlock()
	f.wakes = append(f.wakes, wake)
	return wake
}

// Wake wakes all. It never blocks.
func (f *Followers) Wake() {
	f.mu.Lock()
	defer f.mu.Unlock()
	for _, wake := range f.wakes {
		select {
		case wake <- struct{}{}:
		default: // one is waiting there already
		}
	}
}

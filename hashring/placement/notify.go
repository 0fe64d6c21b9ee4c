package placement

import "sync"

// A notifier wakes subscribers. The zero notifier is ready to use.
type notifier struct {
	mu          sync.Mutex // guards subscribers
	subscribers []chan struct{}
}

// Subscribe returns a channel that holds a wake-up whenever something changed since the last one was taken. Several
// changes make one wake-up, so that a slow subscriber holds up nobody. Subscribe first and read then, or a change is
// missed. A subscription lasts as long as its source.
func (n *notifier) Subscribe() <-chan struct{} {
	wake := make(chan struct{}, 1)
	n.mu.Lock()
	defer n.mu.Unlock()
	n.subscribers = append(n.subscribers, wake)
	return wake
}

func (n *notifier) notify() {
	n.mu.Lock()
	defer n.mu.Unlock()
	for _, wake := range n.subscribers {
		select {
		case wake <- struct{}{}:
		default: // one is waiting there already
		}
	}
}

package following

import (
	"context"
	"time"
)

// A Backoff spaces retries by exponential back-off with full jitter: a uniform share of a limit that doubles
// (https://aws.amazon.com/blogs/architecture/exponential-backoff-and-jitter/). It is not safe for concurrent use.
type Backoff struct {
	First  time.Duration  // limit of the first wait
	Last   time.Duration  // limit of the longest
	Random func() float64 // in [0,1)

	failures int
}

// Next returns how long to wait after one more failure.
func (b *Backoff) Next() time.Duration {
	limit := min(b.Last, b.First<<min(b.failures, 16))
	b.failures++
	return time.Duration(b.Random() * float64(limit))
}

// Failures returns how often Next was called since the last success.
func (b *Backoff) Failures() int { return b.failures }

// Reset notes a success.
func (b *Backoff) Reset() { b.failures = 0 }

// Pause returns after d, or at once when ctx is done.
func Pause(ctx context.Context, d time.Duration) {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-ctx.Done():
	}
}

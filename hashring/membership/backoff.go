package membership

import (
	"context"
	"time"
)

// A backoff spaces retries by exponential back-off with full jitter: a uniform share of a limit that doubles
// (https://aws.amazon.com/blogs/architecture/exponential-backoff-and-jitter/).
type backoff struct {
	random   func() float64
	failures int
}

func (b *backoff) next() time.Duration {
	limit := min(backoffCap, backoffBase<<min(b.failures, 16))
	b.failures++
	return time.Duration(b.random() * float64(limit))
}

func (b *backoff) reset() { b.failures = 0 }

// sleep returns after d, or at once when ctx is done.
func sleep(ctx context.Context, d time.Duration) {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-ctx.Done():
	}
}

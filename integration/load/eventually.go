package load

import (
	"context"
	"testing"
	"time"
)

// Eventually calls try until it returns nil, and fails the test with its last error if that takes longer than patience.
func Eventually(t testing.TB, patience time.Duration, what string, try func() error) {
	t.Helper()
	EventuallyEvery(t, 20*time.Millisecond, patience, what, try)
}

// EventuallyEvery is Eventually for what is much work to try: it leaves the cluster alone for as long as pause between two tries.
func EventuallyEvery(t testing.TB, pause, patience time.Duration, what string, try func() error) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	for {
		err := try()
		if err == nil {
			return
		}
		select {
		case <-time.After(pause):
		case <-ctx.Done():
			t.Fatalf("not within %v: %s: %v", patience, what, err)
		}
	}
}

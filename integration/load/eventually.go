package load

import (
	"context"
	"testing"
	"time"
)

// Eventually calls try until it returns nil, and fails the test with its last error if that takes longer than patience.
func Eventually(t testing.TB, patience time.Duration, what string, try func() error) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	again := time.NewTicker(20 * time.Millisecond)
	defer again.Stop()
	for {
		err := try()
		if err == nil {
			return
		}
		select {
		case <-again.C:
		case <-ctx.Done():
			t.Fatalf("not within %v: %s: %v", patience, what, err)
		}
	}
}

//go:build integration && linux

package process

import (
	"math/rand/v2"
	"testing"
	"time"
)

// newRandom returns what a test decides by, and prints the seed to run it again with. The order in which processes get to
// run is not in it.
func newRandom(t testing.TB) *rand.Rand {
	t.Helper()
	s := *seed
	if s == 0 {
		s = uint64(time.Now().UnixNano())
	}
	t.Logf("-seed %d", s)
	return rand.New(rand.NewPCG(s, 0))
}

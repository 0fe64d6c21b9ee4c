package replica

import (
	"strconv"
	"testing"

	"ringkv/hashring/placement"
)

// A slot may stand still for long, and whoever asks for ever other keys meanwhile must not fill the memory with their names.
func TestWhatWasPulledIsRememberedInBounds(t *testing.T) {
	var e entering
	config := &placement.Config{Generation: 1}
	for i := range maxPulled + 10 {
		key := strconv.Itoa(i)
		if first, ok := e.wait(1, config, key, waiting{}); !first || !ok {
			t.Fatalf("wait for key %d = %v, %v, want it pulled", i, first, ok)
		}
		if waits := e.done(1, config, key, true); len(waits) != 1 {
			t.Fatalf("done of key %d = %v, want the one that waited", i, waits)
		}
		if !e.ready(1, config, key) {
			t.Fatalf("key %d isn't ready once it was pulled", i)
		}
	}
	if n := len(e.slots[1].keys); n != maxPulled {
		t.Errorf("%d keys are remembered, want %d", n, maxPulled)
	}
}

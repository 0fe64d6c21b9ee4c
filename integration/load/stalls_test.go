package load

import (
	"context"
	"slices"
	"testing"
	"time"

	"ringkv/integration/oracle"
)

func TestBeatsThatComeTooLateAreStalls(t *testing.T) {
	const ms = int64(time.Millisecond)
	times := []int64{0, 10 * ms, 20 * ms, 720 * ms, 721 * ms, 740 * ms, 800 * ms}
	ctx, cancel := context.WithCancel(t.Context())
	beats := make(chan time.Time, len(times))
	for range len(times) - 1 {
		beats <- time.Time{}
	}
	var w stallWatch
	asked := 0
	w.run(ctx, beats, func() int64 {
		at := times[asked]
		if asked++; asked == len(times) { // told to end, and what the last beat says still counts
			cancel()
		}
		return at
	})
	want := []oracle.Stall{{From: 30 * ms, To: 720 * ms}, {From: 750 * ms, To: 800 * ms}}
	if got := w.seen(); !slices.Equal(got, want) {
		t.Errorf("stalls = %v, want %v", got, want)
	}
}

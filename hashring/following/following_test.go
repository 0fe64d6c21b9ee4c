package following

import (
	"context"
	"testing"
	"testing/synctest"
	"time"
)

func TestNext(t *testing.T) {
	for _, tt := range []struct {
		waited, got, next uint64
		news              bool
	}{
		{0, 9, 9, true},
		{0, 0, 1, true},  // waiting for 0 would be no wait
		{9, 9, 9, false}, // the wait ran out
		{9, 12, 12, true},
		{9, 8, 0, false}, // another life of Consul: read afresh
		{9, 0, 0, false},
		{9, 1, 0, false},
		{1, 1, 1, false}, // an agent without servers answers with 1
	} {
		if next, news := Next(tt.waited, tt.got); next != tt.next || news != tt.news {
			t.Errorf("Next(%d, %d) = %d, %v, want %d, %v", tt.waited, tt.got, next, news, tt.next, tt.news)
		}
	}
}

func TestBackoff(t *testing.T) {
	b := Backoff{First: time.Second, Last: 5 * time.Second, Random: func() float64 { return 0.5 }}
	for range 2 {
		for i, want := range []time.Duration{500 * time.Millisecond, time.Second, 2 * time.Second, 2500 * time.Millisecond, 2500 * time.Millisecond} {
			if got := b.Next(); got != want || b.Failures() != i+1 {
				t.Errorf("after %d failures: Next() = %v, want %v", b.Failures(), got, want)
			}
		}
		for range 100 {
			if got := b.Next(); got != 2500*time.Millisecond {
				t.Fatalf("after %d failures: Next() = %v", b.Failures(), got)
			}
		}
		b.Reset()
	}
}

func TestPause(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		began := time.Now()
		Pause(t.Context(), time.Second)
		if took := time.Since(began); took != time.Second {
			t.Errorf("Pause took %v, want 1s", took)
		}
		done, cancel := context.WithCancel(t.Context())
		cancel()
		Pause(done, time.Hour)
		if took := time.Since(began); took != time.Second {
			t.Errorf("Pause of what is done took %v", took-time.Second)
		}
	})
}

func TestFollowers(t *testing.T) {
	var f Followers
	slow, quick := f.Subscribe(), f.Subscribe()
	for range 3 { // more than anybody takes
		f.Wake()
		<-quick
	}
	<-slow
	select {
	case <-slow:
		t.Error("three changes were more than one wake-up")
	case <-quick:
		t.Error("woken without a change")
	default:
	}
}

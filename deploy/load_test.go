//go:build integration

package deploy_test

import (
	"context"
	"fmt"
	"sync"
	"testing"
)

// A load writes keys through both gateways in turn, and reads each through the other, until it is stopped. What goes wrong fails the test.
type load struct {
	t        *testing.T
	gateways [2]string
	stopped  chan struct{}
	running  sync.WaitGroup
	stop     func() // returns once nothing more is written

	// What follows is to be looked at after stop.
	keys     []string // that were written and read
	repeated int      // round trips that went wrong once
}

// startLoad starts a load that ends with the test at the latest.
func startLoad(t *testing.T, gateways [2]string) *load {
	l := &load{t: t, gateways: gateways, stopped: make(chan struct{})}
	l.stop = sync.OnceFunc(func() { close(l.stopped); l.running.Wait() })
	ctx := context.WithoutCancel(t.Context()) // what was begun is waited for
	l.running.Go(func() { l.run(ctx) })
	t.Cleanup(l.stop)
	return l
}

func (l *load) run(ctx context.Context) {
	for i := 0; ; i++ {
		select {
		case <-l.stopped:
			return
		default:
		}
		key := fmt.Sprintf("load/%d", i)
		if err := l.roundTrip(ctx, i, key); err != nil {
			l.t.Errorf("twice, while the agent restarted: %v", err)
			continue
		}
		l.keys = append(l.keys, key)
	}
}

// roundTrip does as clients are told to: a request may run out of time where the machine stands still, and is repeated then.
func (l *load) roundTrip(ctx context.Context, i int, key string) error {
	err := roundTrip(ctx, l.gateways[i%2], l.gateways[1-i%2], key)
	if err == nil {
		return nil
	}
	l.t.Logf("repeated, while the agent restarted: %v", err)
	l.repeated++
	return roundTrip(ctx, l.gateways[i%2], l.gateways[1-i%2], key)
}

// judge fails the test if so little was done that it shows nothing, or if more went wrong than a machine that is busy explains.
func (l *load) judge() {
	l.t.Helper()
	l.t.Logf("%d keys were written and read while the agent restarted, %d of them at the second try", len(l.keys), l.repeated)
	if len(l.keys) < 20 {
		l.t.Errorf("only %d keys were written while the agent restarted: that shows nothing", len(l.keys))
	}
	if l.repeated > max(1, len(l.keys)/100) {
		l.t.Errorf("%d of %d round trips had to be repeated while the agent restarted, want one in a hundred at most", l.repeated, len(l.keys))
	}
}

package main

import (
	"context"
	"fmt"
	"slices"
	"time"
)

// settle is the pause before each measurement, in which the work that the one before has left behind is done.
const settle = time.Second

// figures are of one measurement.
type figures struct {
	rate           float64 // requests a second
	p50, p99, p999 time.Duration
	cpu            float64 // seconds of CPU of the system's processes for a million requests
	memory         float64 // bytes of the system's processes afterwards
	idle           float64 // CPUs that the other systems took meanwhile, which nobody asked anything
	strange        float64 // CPUs that the other programs of the machine took
}

// measure loads one system while the others are idle.
func measure(ctx context.Context, cfg config, g generator, w workload, systems []*system, at int) (figures, error) {
	loaded, idle := systems[at], slices.Concat(systems[:at], systems[at+1:])
	if err := pause(ctx, settle); err != nil {
		return figures{}, err
	}
	urls, err := loaded.targets(ctx, w.gateways)
	if err != nil {
		return figures{}, err
	}
	before, err := usageOf(loaded, idle)
	if err != nil {
		return figures{}, err
	}
	seen, err := g.run(ctx, w, target{loaded.dialect, loaded.query, urls}, cfg.each)
	if err != nil {
		return figures{}, err
	}
	after, err := usageOf(loaded, idle)
	if err != nil {
		return figures{}, err
	}
	memory, err := memoryOf(loaded.children)
	if err != nil {
		return figures{}, err
	}
	// A node less, or another leader, would have been another measurement.
	if now, err := loaded.targets(ctx, w.gateways); err != nil || !slices.Equal(now, urls) {
		return figures{}, fmt.Errorf("it did not stay whole under load, which happens on a machine that is short of CPU (%s, then %s: %v)", urls, now, err)
	}
	if loaded.tidy != nil && w.writes > 0 {
		if err := loaded.tidy(ctx); err != nil {
			return figures{}, err
		}
	}
	return figuresOf(seen, after.since(before), memory), nil
}

func figuresOf(seen load, used spent, memory int64) figures {
	return figures{
		rate:    float64(seen.requests) / seen.took.Seconds(),
		p50:     seen.p50,
		p99:     seen.p99,
		p999:    seen.p999,
		cpu:     used.loaded.Seconds() / float64(seen.requests) * 1e6,
		memory:  float64(memory),
		idle:    used.idle.Seconds() / used.took.Seconds(),
		strange: max(0, used.machine-used.loaded-used.idle-seen.cpu).Seconds() / used.took.Seconds(),
	}
}

func pause(ctx context.Context, d time.Duration) error {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-timer.C:
		return nil
	}
}

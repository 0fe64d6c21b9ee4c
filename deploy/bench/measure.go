package main

import (
	"context"
	"fmt"
	"io"
	"slices"
	"time"
)

// figures are of one measurement.
type figures struct {
	rate     float64 // requests a second
	p50, p99 time.Duration
	cpu      float64 // seconds of CPU of the system's processes for a million requests
	idle     float64 // CPUs that the other system took meanwhile, which nobody asked anything
	strange  float64 // CPUs that the other programs of the machine took
}

// result is what was measured of one operation: for each system the figures of all rounds.
type result struct {
	operation operation
	systems   []*system
	rounds    [][]figures // by the system's place in systems
}

// measureAll goes through all operations and systems in each round. Who comes first changes from round to round.
func measureAll(ctx context.Context, cfg config, g generator, systems []*system, progress io.Writer) ([]result, error) {
	var results []result
	for _, op := range operations() {
		results = append(results, result{operation: op, systems: systems, rounds: make([][]figures, len(systems))})
	}
	for round := range cfg.rounds {
		order := []int{0, 1}
		if round%2 == 1 {
			slices.Reverse(order)
		}
		for _, r := range results {
			for _, i := range order {
				f, err := measure(ctx, cfg, g, r.operation, systems[i], systems[1-i])
				if err != nil {
					return nil, fmt.Errorf("%s of %s: %w", r.operation.method, systems[i].name, err)
				}
				r.rounds[i] = append(r.rounds[i], f)
				say(progress, "round %d of %d  %s  %-9s  %s/s, p50 %s ms, p99 %s ms, %s s of CPU for a million; other programs took %.2f CPUs",
					round+1, cfg.rounds, r.operation.method, systems[i].name, count(f.rate), millis(f.p50), millis(f.p99), count(f.cpu), f.strange)
			}
		}
	}
	return results, nil
}

// measure loads one system while the other is idle.
func measure(ctx context.Context, cfg config, g generator, op operation, loaded, idle *system) (figures, error) {
	if err := pause(ctx, settle); err != nil {
		return figures{}, err
	}
	url, err := loaded.target(ctx)
	if err != nil {
		return figures{}, err
	}
	before, err := usageOf(loaded, idle)
	if err != nil {
		return figures{}, err
	}
	seen, err := g.run(ctx, op, url, cfg.each)
	if err != nil {
		return figures{}, err
	}
	after, err := usageOf(loaded, idle)
	if err != nil {
		return figures{}, err
	}
	// A node less, or another leader, would have been another measurement.
	if now, err := loaded.target(ctx); err != nil || now != url {
		return figures{}, fmt.Errorf("it did not stay whole under load, which happens on a machine that is short of CPU: start again (%s, then %s: %v)", url, now, err)
	}
	took := seen.took.Seconds()
	used := after.since(before)
	return figures{
		rate:    float64(seen.requests) / took,
		p50:     seen.p50,
		p99:     seen.p99,
		cpu:     used.loaded.Seconds() / float64(seen.requests) * 1e6,
		idle:    used.idle.Seconds() / took,
		strange: max(0, used.machine-used.loaded-used.idle-seen.cpu).Seconds() / took,
	}, nil
}

// usage is the CPU time of the system under load, of the other one, and of all programs together.
type usage struct {
	loaded, idle, machine time.Duration
}

func usageOf(loaded, idle *system) (u usage, err error) {
	if u.loaded, err = cpuTime(loaded.children); err != nil {
		return usage{}, err
	}
	if u.idle, err = cpuTime(idle.children); err != nil {
		return usage{}, err
	}
	u.machine, err = machineTime()
	return u, err
}

func (u usage) since(before usage) usage {
	return usage{u.loaded - before.loaded, u.idle - before.idle, u.machine - before.machine}
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

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
				say(progress, "round %d of %d  %s  %-9s  %s/s, p50 %s ms, p99 %s ms, %s s of CPU for a million, other system %.2f CPUs",
					round+1, cfg.rounds, r.operation.method, systems[i].name, count(f.rate), millis(f.p50), millis(f.p99), count(f.cpu), f.idle)
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
	before, err := cpuTimes(loaded, idle)
	if err != nil {
		return figures{}, err
	}
	seen, err := g.run(ctx, op, url, cfg.each)
	if err != nil {
		return figures{}, err
	}
	after, err := cpuTimes(loaded, idle)
	if err != nil {
		return figures{}, err
	}
	// A node less, or another leader, would have been another measurement.
	if now, err := loaded.target(ctx); err != nil || now != url {
		return figures{}, fmt.Errorf("it did not stay whole under load, which happens on a machine that is short of CPU: start again (%s, then %s: %v)", url, now, err)
	}
	return figures{
		rate: float64(seen.requests) / seen.took.Seconds(),
		p50:  seen.p50,
		p99:  seen.p99,
		cpu:  (after[0] - before[0]).Seconds() / float64(seen.requests) * 1e6,
		idle: (after[1] - before[1]).Seconds() / seen.took.Seconds(),
	}, nil
}

func cpuTimes(systems ...*system) ([]time.Duration, error) {
	var list []time.Duration
	for _, s := range systems {
		used, err := cpuTime(s.children)
		if err != nil {
			return nil, err
		}
		list = append(list, used)
	}
	return list, nil
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

package main

import (
	"context"
	"fmt"
	"io"
	"slices"
	"time"
)

// tries is how often a measurement is begun before a failure is the end.
const tries = 3

// result is what was measured of one workload: for each system, by its place in systems, the figures of all rounds, or why there are none.
type result struct {
	workload workload
	rounds   [][]figures
	without  []string
	repeated []int // measurements that were made again
}

// measureAll goes through all workloads and systems. The larger values are written when all is measured that is to be with the
// smaller ones, so that the memory that it takes is that of the smaller ones.
func measureAll(ctx context.Context, l launch, g generator, systems []*system, progress io.Writer) ([]result, error) {
	list := workloads(l.cfg)
	all := 0
	var results []result
	for _, w := range list {
		r := result{workload: w, rounds: make([][]figures, len(systems)), repeated: make([]int, len(systems))}
		for _, s := range systems {
			r.without = append(r.without, s.without(w))
			if s.without(w) == "" {
				all++
			}
		}
		results = append(results, r)
	}
	say(progress, "%d measurements of %v in each of %s: some %v", all, l.cfg.each, some(l.cfg.rounds, "round"),
		(time.Duration(all*l.cfg.rounds) * (l.cfg.each + settle + time.Second/2)).Round(10*time.Second))
	for _, v := range allValues(l.cfg.keys) {
		for _, s := range systems {
			if err := s.fill(ctx, l.browser, v, list, progress); err != nil {
				return nil, fmt.Errorf("%s: %w", s.name, err)
			}
		}
		same := slices.DeleteFunc(slices.Clone(results), func(r result) bool { return r.workload.values != v })
		if err := measureRounds(ctx, l.cfg, g, systems, same, progress); err != nil {
			return nil, err
		}
	}
	return results, nil
}

// measureRounds adds to the results. Who comes first changes from round to round.
func measureRounds(ctx context.Context, cfg config, g generator, systems []*system, results []result, progress io.Writer) error {
	for round := range cfg.rounds {
		for _, r := range results {
			for _, i := range turns(len(systems), round) {
				if r.without[i] != "" {
					continue
				}
				f, err := r.insist(ctx, cfg, g, systems, i, progress)
				if err != nil {
					return fmt.Errorf("%s of %s: %w", r.workload.name(), systems[i].name, err)
				}
				r.rounds[i] = append(r.rounds[i], f)
				say(progress, "round %d of %d  %-25s  %-9s  %s/s, p50 %s ms, p99 %s ms, %s s of CPU for a million, %s MiB; other programs took %.2f CPUs",
					round+1, cfg.rounds, r.workload.name(), systems[i].name, count(f.rate), millis(f.p50), millis(f.p99), count(f.cpu), mebibytes(f.memory), f.strange)
			}
		}
	}
	return nil
}

// insist measures again what failed, some times: a group may lose its leader where CPU is short. The table says how often.
func (r result) insist(ctx context.Context, cfg config, g generator, systems []*system, at int, progress io.Writer) (figures, error) {
	for again := 0; ; again++ {
		_, err := systems[at].whole(ctx, r.workload.gateways)
		var f figures
		if err == nil {
			f, err = measure(ctx, cfg, g, r.workload, systems, at)
		}
		if err == nil || again == tries-1 || ctx.Err() != nil {
			return f, err
		}
		r.repeated[at]++
		say(progress, "again: %s of %s: %v", r.workload.name(), systems[at].name, err)
	}
}

// turns is the order of a round: each begins with the next system, and every other one goes the other way round.
func turns(systems, round int) []int {
	order := make([]int, systems)
	for i := range order {
		order[i] = (i + round) % systems
	}
	if round%2 == 1 {
		slices.Reverse(order[1:])
	}
	return order
}

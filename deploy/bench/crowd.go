package main

import (
	"context"
	"fmt"
	"io"
	"time"
)

// crowded is how many clients come at once.
const crowded = 2000

// crowd is what was seen of one.
type crowd struct {
	method         string
	peak, goodput  float64 // good answers a second: with 64 connections, and with the crowd
	seen           load    // of the crowd
	refusals       int     // 503s that the probe was answered
	slowestRefusal time.Duration
	strange        float64 // CPUs that other programs took
	says           string  // the first of the 503s
}

// measureCrowds has a crowd come to write, and one to read, in each round.
func measureCrowds(ctx context.Context, l launch, g generator, sys *system, progress io.Writer) ([]crowd, error) {
	var all []crowd
	small := allValues(l.cfg.keys)[0]
	for round := range l.cfg.rounds {
		for _, w := range []workload{{"PUT", 100, small, 64, 1}, {"GET", 0, small, 64, 1}} {
			c, err := measureCrowd(ctx, l, g, sys, w)
			if err != nil {
				return nil, fmt.Errorf("%d clients at once: %w", crowded, err)
			}
			all = append(all, c)
			say(progress, "round %d of %d  %d clients at once, %s: %s/s good (%.0f %% of %s/s), %d refused, %d broken, p99 %s ms; 503s of the probe within, ms: %s; other programs took %.2f CPUs%s",
				round+1, l.cfg.rounds, crowded, c.method, count(c.goodput), 100*ratio(c.goodput, c.peak), count(c.peak),
				c.seen.refused, c.seen.broken, millis(c.seen.p99), refusedWithin([]crowd{c}), c.strange, c.says)
		}
	}
	return all, nil
}

func measureCrowd(ctx context.Context, l launch, g generator, sys *system, w workload) (crowd, error) {
	urls, err := sys.whole(ctx, 1)
	if err != nil {
		return crowd{}, err
	}
	t := target{sys.dialect, sys.query, urls}
	peak, err := g.run(ctx, w, t, l.cfg.each)
	if err != nil {
		return crowd{}, err
	}
	c := crowd{method: w.method, peak: goodput(peak)}
	w.connections = crowded
	others, err := newOthers(sys)
	if err != nil {
		return crowd{}, err
	}
	loaded, err := g.begin(ctx, w, t, l.cfg.each)
	if err != nil {
		return crowd{}, err
	}
	probed := newProbe().start(ctx, urls[0], w.values, l.cfg.each)
	c.seen, err = loaded()
	answers := probed()
	if err != nil {
		return crowd{}, err
	}
	if c.strange, err = others(); err != nil {
		return crowd{}, err
	}
	c.goodput = goodput(c.seen)
	for _, a := range answers {
		if !a.refusal() {
			continue
		}
		if c.refusals == 0 {
			c.says = "; " + a.failure()
		}
		c.refusals++
		c.slowestRefusal = max(c.slowestRefusal, a.took())
	}
	return c, nil
}

func goodput(seen load) float64 { return float64(seen.requests-seen.refused) / seen.took.Seconds() }

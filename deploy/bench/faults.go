package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"time"
)

// fault is what happens to a node under load, and how it comes back.
type fault struct {
	name   string
	strike func(*child) error
	mend   func(*crew, *child) (*child, error) // returns the node's process from then on
}

func faults() []fault {
	return []fault{
		{"killed (kill -9), started again", (*child).kill, func(c *crew, ch *child) (*child, error) { return c.start(ch.from) }},
		{"paused (SIGSTOP), continued", (*child).freeze, func(_ *crew, ch *child) (*child, error) { return ch, ch.thaw() }},
	}
}

// trial is what was seen of one fault: from its beginning on, through the node's return, and before.
type trial struct {
	requests, failed int           // of wrk and of the probe
	before, after    time.Duration // longest gap
	longest          time.Duration // that a request took
	strange          float64       // CPUs that other programs took
	says             string        // what the probe was first told by an answer that isn't good
}

// runFaults measures what faults and crowds cost ringkv, and writes a table of each to out.
func runFaults(ctx context.Context, l launch, g generator, out, progress io.Writer) error {
	say(progress, "starting ringkv")
	sys, err := startRingkv(ctx, l)
	if err != nil {
		return err
	}
	if err := sys.serve(ctx, l.browser); err != nil {
		return err
	}
	if err := sys.fill(ctx, l.browser, allValues(l.cfg.keys)[0], workloads(l.cfg), progress); err != nil {
		return err
	}
	trials := make([][]trial, len(faults()))
	for round := range l.cfg.rounds {
		for i, f := range faults() {
			t, err := f.try(ctx, l, g, sys, round)
			if err != nil {
				return fmt.Errorf("a node %s: %w", f.name, err)
			}
			trials[i] = append(trials[i], t)
			say(progress, "round %d of %d  a node %s: %s requests, %d failed, longest gap %s ms (%s ms before), longest request %s ms; other programs took %.2f CPUs%s",
				round+1, l.cfg.rounds, f.name, count(float64(t.requests)), t.failed, millis(t.after), millis(t.before), millis(t.longest), t.strange, t.says)
		}
	}
	crowds, err := measureCrowds(ctx, l, g, sys, progress)
	if err != nil {
		return err
	}
	if err := writeTrials(out, l.cfg, trials); err != nil {
		return err
	}
	return writeCrowds(out, l.cfg, crowds, machine(l.programs))
}

// try loads the system for three times the time of a measurement: as it is, with the fault, and after it. The node that is hit
// is another one in each round.
func (f fault) try(ctx context.Context, l launch, g generator, sys *system, round int) (trial, error) {
	urls, err := sys.whole(ctx, 1)
	if err != nil {
		return trial{}, err
	}
	w := workload{method: "mixed", writes: 50, values: allValues(l.cfg.keys)[0], connections: 64, gateways: 1}
	long := 3 * l.cfg.each
	others, err := newOthers(sys)
	if err != nil {
		return trial{}, err
	}
	began := time.Now()
	loaded, err := g.begin(ctx, w, target{sys.dialect, sys.query, urls}, long)
	if err != nil {
		return trial{}, err
	}
	probed := newProbe().start(ctx, urls[0], w.values, long)
	struck, failure := f.happen(ctx, l, sys, round%l.cfg.nodes)
	seen, err := loaded()
	answers := probed()
	if err := errors.Join(failure, err); err != nil {
		return trial{}, err
	}
	t := trialOf(seen, answers, began, struck, began.Add(long))
	t.strange, err = others()
	return t, err
}

// happen strikes a node when a third of the time is over, mends it when another third is, and says when it struck.
func (f fault) happen(ctx context.Context, l launch, sys *system, node int) (struck time.Time, err error) {
	if err := pause(ctx, l.cfg.each); err != nil {
		return time.Time{}, err
	}
	at := sys.place(nodeName(node))
	struck = time.Now()
	if err := f.strike(sys.children[at]); err != nil {
		return struck, err
	}
	paused := pause(ctx, l.cfg.each)
	sys.children[at], err = f.mend(l.crew, sys.children[at])
	if paused != nil {
		return struck, paused
	}
	return struck, err
}

func trialOf(seen load, answers []answer, began, struck, ended time.Time) trial {
	t := trial{requests: seen.requests + len(answers), failed: seen.refused + seen.broken, longest: seen.longest}
	for _, a := range answers {
		if !a.good() {
			t.failed++
		}
		if !a.good() && t.says == "" {
			t.says = "; " + a.failure()
		}
		t.longest = max(t.longest, a.took())
	}
	for _, method := range []string{http.MethodGet, http.MethodPut} {
		t.before = max(t.before, gap(answers, method, began, struck))
		t.after = max(t.after, gap(answers, method, struck, ended))
	}
	return t
}

package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
)

// run starts the systems, measures them in turns, writes the tables to out, and stops them. What it does meanwhile goes to progress.
func run(interrupt context.Context, cfg config, out, progress io.Writer) (err error) {
	programs, err := findPrograms()
	if err != nil {
		return err
	}
	dir, err := newDirectory()
	if err != nil {
		return err
	}
	ctx, lost := context.WithCancelCause(interrupt)
	c := &crew{dir: dir, lost: lost}
	defer func() {
		switch {
		case interrupt.Err() != nil:
			err = errStopped
		case ctx.Err() != nil:
			err = context.Cause(ctx) // and not what came of it
		}
		err = cleanUp(dir, err, c.stop())
	}()
	g, err := newGenerator(programs.wrk, dir)
	if err != nil {
		return err
	}
	l := launch{crew: c, programs: programs, browser: newBrowser(), cfg: cfg}
	if cfg.faults {
		return runFaults(ctx, l, g, out, progress)
	}
	return compare(ctx, l, g, out, progress)
}

// compare measures all workloads on all systems.
func compare(ctx context.Context, l launch, g generator, out, progress io.Writer) error {
	systems, absent, err := bringUp(ctx, l, progress)
	if err != nil {
		return err
	}
	results, err := measureAll(ctx, l, g, systems, progress)
	if err != nil {
		return err
	}
	if err := writeTables(out, systems, results); err != nil {
		return err
	}
	if err := writeNotes(out, l.cfg, machine(l.programs), systems, absent, results); err != nil {
		return err
	}
	if err := os.WriteFile(l.cfg.chart, []byte(chart(bars(systems, results))), 0o644); err != nil {
		return fmt.Errorf("write the chart: %w (CHART=path puts it elsewhere)", err)
	}
	say(progress, "the chart is in %s", l.cfg.chart)
	return nil
}

// newDirectory makes one below data/, where the nodes of `make run` store too: /tmp may be in memory.
func newDirectory() (string, error) {
	if err := os.MkdirAll("data", 0o755); err != nil {
		return "", err
	}
	return os.MkdirTemp("data", "bench-")
}

var errStopped = errors.New("stopped before the end")

// cleanUp removes the directory, unless its logs may tell why something failed, and returns what failed: the run, or the end of its processes.
func cleanUp(dir string, run, end error) error {
	if end == nil && (run == nil || run == errStopped) {
		return errors.Join(run, os.RemoveAll(dir))
	}
	return fmt.Errorf("%w (what the processes have logged is in %s)", errors.Join(run, end), dir)
}

// bringUp starts the systems and returns when each serves; absent says which are left out, and why.
func bringUp(ctx context.Context, l launch, progress io.Writer) (systems []*system, absent []string, err error) {
	for _, s := range starters() {
		if !slices.Contains(l.cfg.systems, s.short) {
			continue
		}
		if why := s.missing(l.programs); why != "" {
			absent = append(absent, fmt.Sprintf("%s is left out: %s.", s.name, why))
			say(progress, "%s is left out: %s", s.name, why)
			continue
		}
		say(progress, "starting %s", s.name)
		sys, err := s.start(ctx, l)
		if err != nil {
			return nil, nil, fmt.Errorf("%s: %w", s.name, err)
		}
		systems = append(systems, sys)
	}
	for _, sys := range systems {
		if err := sys.serve(ctx, l.browser); err != nil {
			return nil, nil, fmt.Errorf("%s: %w", sys.name, err)
		}
	}
	return systems, absent, nil
}

// say tells the user what is going on. Nobody is helped by an error about that.
func say(progress io.Writer, format string, args ...any) {
	_, _ = fmt.Fprintf(progress, format+"\n", args...)
}

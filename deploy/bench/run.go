package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"time"
)

const (
	// ready is how long a system may take until it serves.
	ready = time.Minute
	// settle is the pause before each measurement, in which the work that the one before has left behind is done.
	settle = time.Second
)

// system is one of the two that are compared.
type system struct {
	name     string
	children []*child
	// target is the URL below which its keys are. It is an error while the system isn't whole.
	target func(context.Context) (string, error)
}

// operation is what is asked of both systems.
type operation struct {
	method, query string
}

// GET in Consul's default mode is answered by the leader alone under its lease.
// https://developer.hashicorp.com/consul/api-docs/features/consistency
func operations() []operation { return []operation{{method: "PUT"}, {"GET", "?raw"}} }

// run starts both systems, measures them in turns, writes the table to out, and stops them. What it does meanwhile goes to progress.
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
		if ctx.Err() != nil {
			err = context.Cause(ctx) // and not what came of it
		}
		err = cleanUp(dir, interrupt.Err() != nil, errors.Join(err, c.stop()))
	}()
	g, err := newGenerator(programs.wrk, dir)
	if err != nil {
		return err
	}
	systems, err := bringUp(ctx, c, programs, progress)
	if err != nil {
		return err
	}
	results, err := measureAll(ctx, cfg, g, systems, progress)
	if err != nil {
		return err
	}
	return writeTable(out, cfg, describe(programs.consul), results)
}

// newDirectory makes one below data/, where the nodes of `make run` store too: /tmp may be in memory.
func newDirectory() (string, error) {
	if err := os.MkdirAll("data", 0o755); err != nil {
		return "", err
	}
	return os.MkdirTemp("data", "bench-")
}

// cleanUp removes the directory, unless its logs may tell why something failed.
func cleanUp(dir string, interrupted bool, err error) error {
	switch {
	case interrupted:
		return errors.Join(errors.New("stopped before the end"), os.RemoveAll(dir))
	case err == nil:
		return os.RemoveAll(dir)
	default:
		return fmt.Errorf("%w (what the processes have logged is in %s)", err, dir)
	}
}

// bringUp starts both systems and returns when both are whole and hold all keys.
func bringUp(ctx context.Context, c *crew, p programs, progress io.Writer) ([]*system, error) {
	b := newBrowser()
	say(progress, "starting three servers of Consul, and three nodes, a gateway and a Consul of ringkv")
	consul, err := startConsul(c, p, b)
	if err != nil {
		return nil, err
	}
	ringkv, err := startRingkv(ctx, c, p, b)
	if err != nil {
		return nil, err
	}
	systems := []*system{ringkv, consul}
	for _, sys := range systems {
		if err := sys.fill(ctx, b); err != nil {
			return nil, fmt.Errorf("%s: %w", sys.name, err)
		}
		say(progress, "%s holds %d keys", sys.name, keys)
	}
	return systems, nil
}

func (s *system) fill(ctx context.Context, b browser) error {
	err := eventually(ctx, ready, func(ctx context.Context) error {
		url, err := s.target(ctx)
		if err != nil {
			return err
		}
		_, err = b.ask(ctx, "PUT", url+"key1", "")
		return err
	})
	if err != nil {
		return err
	}
	url, err := s.target(ctx)
	if err != nil {
		return err
	}
	return b.fill(ctx, url)
}

// say tells the user what is going on. Nobody is helped by an error about that.
func say(progress io.Writer, format string, args ...any) {
	_, _ = fmt.Fprintf(progress, format+"\n", args...)
}

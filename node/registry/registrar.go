package registry

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"time"

	"github.com/hashicorp/consul/api"
	"golang.org/x/sync/errgroup"
)

const (
	callTimeout  = 10 * time.Second // of one call that doesn't wait; a hung agent must not hold a loop for ever
	pollWait     = 60 * time.Second // longest wait for a change of the definition
	beatEvery    = 5 * time.Second  // a third of the TTL: two may be lost
	compareEvery = 30 * time.Second // the definition's hash doesn't cover the checks
	backoffBase  = 250 * time.Millisecond
	backoffCap   = 5 * time.Second // well below the agent's own pauses
	aliveText    = "The process is alive."
)

// ErrRunning is returned by a Run while another one is under way.
var ErrRunning = errors.New("the registrar runs already")

// Options of a Registrar. Zero fields mean the defaults.
type Options struct {
	Log    *slog.Logger   // default: slog.Default()
	Random func() float64 // in [0,1), for jitter; default: math/rand/v2
	// Seen reports whether the program's own watch lists it. With it, Drain ends as soon as that is over and State can
	// be Active. Default: not known.
	Seen func() bool
}

// A State is how far the registration has come.
type State int32

const (
	Unregistered State = iota // not tried yet
	Registering               // the agent hasn't taken it yet, or has been out of reach since
	Registered                // the agent has it
	Active                    // the own watch lists it
	Draining                  // on the way out
	Gone                      // out
)

func (s State) String() string {
	return [...]string{"unregistered", "registering", "registered", "active", "draining", "gone"}[s]
}

// A Registrar keeps one program registered. Its methods are safe for concurrent use.
type Registrar struct {
	desired Desired
	agent   Agent
	log     *slog.Logger
	random  func() float64
	seen    func() bool
	state   atomic.Int32
	beat    chan struct{} // holds a wish for a heartbeat now

	mu      sync.Mutex // guards what follows
	failure string     // why the program can't serve, empty if it can
	drained bool
	stop    context.CancelFunc // of the Run under way, nil if there is none
	stopped chan struct{}      // closed when that Run is over
}

// New returns a Registrar for the program described by d. It fails on what Consul would refuse.
func New(agent Agent, d Desired, o Options) (*Registrar, error) {
	d = d.withDefaults()
	if err := d.validate(); err != nil {
		return nil, fmt.Errorf("register in Consul: %w", err)
	}
	r := &Registrar{desired: d, agent: agent, log: o.Log, random: o.Random, seen: o.Seen, beat: make(chan struct{}, 1)}
	if r.log == nil {
		r.log = slog.Default()
	}
	if r.random == nil {
		r.random = rand.Float64
	}
	return r, nil
}

// State returns how far the registration has come.
func (r *Registrar) State() State {
	state := State(r.state.Load())
	if state == Registered && r.seen != nil && r.seen() {
		return Active
	}
	return state
}

// Run registers the program and keeps it registered until ctx is done or Drain is called, and returns nil then: at once
// after a Drain, as a program that was told to stop while it started leaves before it has come. Call it once the program
// listens. Without Consul it tries again for ever. It doesn't deregister: that is Drain's.
func (r *Registrar) Run(ctx context.Context) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	done, err := r.start(cancel)
	if done == nil {
		return err
	}
	defer done()
	r.state.Store(int32(Registering))
	var g errgroup.Group
	g.Go(func() error { r.keepDefinition(ctx); return nil })
	g.Go(func() error { r.keepChecks(ctx); return nil })
	return g.Wait()
}

// start makes this Run the one that Drain will stop. done must be called at its end; it is nil if there is to be no Run.
func (r *Registrar) start(stop context.CancelFunc) (done func(), err error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	switch {
	case r.drained:
		return nil, nil
	case r.stop != nil:
		return nil, ErrRunning
	}
	stopped := make(chan struct{})
	r.stop, r.stopped = stop, stopped
	return func() {
		r.mu.Lock()
		defer r.mu.Unlock()
		r.stop = nil
		close(stopped)
	}, nil
}

// Fail takes the program out of the ring within milliseconds, for a reason that Consul's UI will show. The program's
// /health-check should fail too. It doesn't wait.
func (r *Registrar) Fail(reason string) { r.setFailure(reason) }

// Recover takes Fail back.
func (r *Registrar) Recover() { r.setFailure("") }

func (r *Registrar) setFailure(reason string) {
	r.mu.Lock()
	changed := r.failure != reason
	r.failure = reason
	r.mu.Unlock()
	if changed {
		r.beatNow()
	}
}

func (r *Registrar) beatNow() {
	select {
	case r.beat <- struct{}{}:
	default: // one is wished for already
	}
}

// health is what the TTL check should show.
func (r *Registrar) health() (status, output string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.failure != "" {
		return api.HealthCritical, r.failure
	}
	return api.HealthPassing, aliveText
}

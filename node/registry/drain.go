package registry

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"ringkv/hashring/following"
)

const (
	drainTries   = 3
	drainCall    = time.Second     // one try: an agent takes a service out before it tells the servers
	unseenWithin = 2 * time.Second // for others to notice that the program has left
	unseenPoll   = 10 * time.Millisecond
)

// Drain takes the program out of Consul, in the order in which nothing is put back: it stops Run and waits for it,
// deregisters (three tries, each 1 s, even if ctx is done), and waits until the own watch no longer lists the program
// or 2 s have passed, so that whoever is about to send something here has noticed. The program must serve meanwhile.
// An error means that Consul may still list it; its checks will fail, and it will be forgotten. A second Drain does it
// again, which does no harm.
func (r *Registrar) Drain(ctx context.Context) error {
	r.stopRun()
	r.state.Store(int32(Draining))
	if err := r.deregister(context.WithoutCancel(ctx)); err != nil {
		return fmt.Errorf("deregister %s: %w", r.desired.ServiceID(), err)
	}
	r.log.Info("deregistered from Consul", "service", r.desired.ServiceID())
	r.waitUnseen(ctx)
	if err := r.takeOutLate(context.WithoutCancel(ctx)); err != nil {
		r.log.Warn("could not make sure that the registration stays gone", "error", err)
	}
	r.state.Store(int32(Gone))
	return nil
}

// stopRun ends the Run under way and waits for it: its calls end with its context.
func (r *Registrar) stopRun() {
	r.mu.Lock()
	r.drained = true
	stop, stopped := r.stop, r.stopped
	r.mu.Unlock()
	if stop != nil {
		stop()
		<-stopped
	}
}

func (r *Registrar) deregister(ctx context.Context) error {
	var err error
	for range drainTries {
		if err = r.deregisterOnce(ctx); err == nil || errors.Is(err, ErrUnknown) {
			return nil
		}
		retry := r.backoff() // anew each time: a program that stops can't wait longer and longer
		following.Pause(ctx, retry.Next())
	}
	return err
}

func (r *Registrar) deregisterOnce(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, drainCall)
	defer cancel()
	return r.agent.Deregister(ctx, r.desired.ServiceID())
}

// takeOutLate takes out a registration that was cut short and has reached the agent late. It looks first: an agent logs an error when it is to take out what
// it doesn't know.
func (r *Registrar) takeOutLate(ctx context.Context) error {
	looking, cancel := context.WithTimeout(ctx, drainCall)
	defer cancel()
	host, port, _ := splitAddr(r.desired.Addr)
	services, err := r.agent.ServicesAt(looking, r.desired.Service, host, port)
	if err != nil || !slices.Contains(services, r.desired.ServiceID()) {
		return err
	}
	if err := r.deregisterOnce(ctx); err != nil && !errors.Is(err, ErrUnknown) {
		return err
	}
	r.log.Info("deregistered from Consul once more: a registration had arrived late")
	return nil
}

// waitUnseen polls, as it happens once in the program's life.
func (r *Registrar) waitUnseen(ctx context.Context) {
	ctx, cancel := context.WithTimeout(ctx, unseenWithin)
	defer cancel()
	tick := time.NewTicker(unseenPoll)
	defer tick.Stop()
	for r.seen == nil || r.seen() {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
	}
}

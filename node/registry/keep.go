package registry

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"ringkv/hashring/following"
)

// An operator's maintenance of a service is a check of it with this prefix.
const maintenancePrefix = "_service_maintenance:"

// keepDefinition registers, tidies up once, and then waits for the agent's definition to differ. Tries that go wrong in a row, and registrations in a
// row that don't last (rewrites), are spaced out, since an agent that is asked without pause, or that puts a definition in a form of its own, would
// otherwise be asked for ever.
func (r *Registrar) keepDefinition(ctx context.Context) {
	hash, tidied, failures, rewrites := "", false, r.backoff(), r.backoff()
	for ctx.Err() == nil {
		next, err := r.reconcile(ctx, hash, &tidied)
		switch {
		case ctx.Err() != nil:
			return
		case err != nil:
			if failures.Failures() == 0 {
				r.log.Warn("the Consul agent gives no usable answer, so the registration may be gone; trying again until it does", "error", err)
			}
			r.state.Store(int32(Registering))
			following.Pause(ctx, failures.Next())
		case failures.Failures() > 0:
			r.log.Info("the Consul agent answers again")
			failures.Reset()
		}
		if err == nil && next == "" {
			following.Pause(ctx, rewrites.Next())
		} else if err == nil {
			rewrites.Reset()
		}
		hash = next // none after an error: it may be of another life of the agent
	}
}

// reconcile makes sure of the registration once. It returns the hash of the definition that was found right, or none
// if it had to be written. tidied says whether this process has registered and tidied up before.
func (r *Registrar) reconcile(ctx context.Context, hash string, tidied *bool) (string, error) {
	if !*tidied {
		if err := r.register(ctx); err != nil {
			return "", err
		}
		if err := r.tidy(ctx); err != nil {
			return "", err
		}
		*tidied = true
	}
	pollCtx, cancel := context.WithTimeout(ctx, pollWait+pollWait/16+callTimeout)
	defer cancel()
	have, next, err := r.agent.Service(pollCtx, r.desired.ServiceID(), hash, pollWait)
	switch {
	case errors.Is(err, ErrUnknown):
		r.log.Warn("the Consul agent has forgotten the registration, registering again")
		return "", r.register(ctx)
	case err != nil:
		return "", fmt.Errorf("wait for changes of %s: %w", r.desired.ServiceID(), err)
	case !r.desired.matches(have):
		r.log.Warn("the registration was changed in Consul, registering again")
		return "", r.register(ctx)
	case hash == "":
		r.registered() // and after a restart of the agent the heartbeat's check may need one
	}
	return next, nil
}

// register is a plain registration: replacing the checks would end an operator's maintenance.
func (r *Registrar) register(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, callTimeout)
	defer cancel()
	status, _ := r.health()
	if err := r.agent.Register(ctx, r.desired.registration(status)); err != nil {
		return fmt.Errorf("register %s: %w", r.desired.ServiceID(), err)
	}
	r.log.Info("registered in Consul", "service", r.desired.ServiceID(), "address", r.desired.Addr)
	r.registered()
	return nil
}

func (r *Registrar) registered() {
	r.state.Store(int32(Registered))
	r.beatNow()
}

// tidy takes out what earlier runs left on this agent: checks of this service under other names, which would stay
// critical for ever, and other instances of it at this address.
func (r *Registrar) tidy(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, callTimeout)
	defer cancel()
	checks, err := r.agent.Checks(ctx, r.desired.ServiceID())
	if err != nil {
		return fmt.Errorf("list the checks of %s: %w", r.desired.ServiceID(), err)
	}
	for _, id := range checks {
		if id == r.desired.httpCheckID() || id == r.desired.ttlCheckID() || strings.HasPrefix(id, maintenancePrefix) {
			continue
		}
		r.log.Info("taking out a check left by an earlier run", "check", id)
		if err := r.agent.DeregisterCheck(ctx, id); err != nil && !errors.Is(err, ErrUnknown) {
			return fmt.Errorf("take out check %s: %w", id, err)
		}
	}
	return r.tidyAddress(ctx)
}

func (r *Registrar) tidyAddress(ctx context.Context) error {
	host, port, _ := splitAddr(r.desired.Addr)
	services, err := r.agent.ServicesAt(ctx, r.desired.Service, host, port)
	if err != nil {
		return fmt.Errorf("list the services at %s: %w", r.desired.Addr, err)
	}
	for _, id := range services {
		if id == r.desired.ServiceID() {
			continue
		}
		r.log.Warn("taking out a registration left at this address by an earlier run", "service", id)
		if err := r.agent.Deregister(ctx, id); err != nil && !errors.Is(err, ErrUnknown) {
			return fmt.Errorf("take out service %s: %w", id, err)
		}
	}
	return nil
}

// keepChecks sends heartbeats, and looks now and then whether the checks are still there.
func (r *Registrar) keepChecks(ctx context.Context) {
	beats := time.NewTicker(beatEvery)
	defer beats.Stop()
	compares := time.NewTicker(compareEvery)
	defer compares.Stop()
	for {
		var err error
		select {
		case <-ctx.Done():
			return
		case <-beats.C:
			err = r.heartbeat(ctx)
		case <-r.beat:
			err = r.heartbeat(ctx)
		case <-compares.C:
			err = r.compareChecks(ctx)
		}
		if err != nil && ctx.Err() == nil {
			r.log.Debug("the checks in Consul could not be kept up, trying again", "error", err)
		}
	}
}

// heartbeat tells the TTL check how the program is. Before the registration there is none.
func (r *Registrar) heartbeat(ctx context.Context) error {
	if State(r.state.Load()) != Registered {
		return nil // whoever gets it registered asks for a heartbeat
	}
	ctx, cancel := context.WithTimeout(ctx, callTimeout)
	defer cancel()
	status, output := r.health()
	err := r.agent.UpdateTTL(ctx, r.desired.ttlCheckID(), status, output)
	if errors.Is(err, ErrUnknown) {
		r.log.Warn("the Consul agent has forgotten the heartbeat's check, registering again")
		return r.register(ctx)
	}
	return err
}

// compareChecks registers again if somebody took one of the checks out.
func (r *Registrar) compareChecks(ctx context.Context) error {
	if State(r.state.Load()) != Registered {
		return nil
	}
	ctx, cancel := context.WithTimeout(ctx, callTimeout)
	defer cancel()
	checks, err := r.agent.Checks(ctx, r.desired.ServiceID())
	if err != nil {
		return fmt.Errorf("list the checks of %s: %w", r.desired.ServiceID(), err)
	}
	if slices.Contains(checks, r.desired.httpCheckID()) && slices.Contains(checks, r.desired.ttlCheckID()) {
		return nil
	}
	r.log.Warn("a check was taken out in Consul, registering again")
	return r.register(ctx)
}

func (r *Registrar) backoff() following.Backoff {
	return following.Backoff{First: backoffBase, Last: backoffCap, Random: r.random}
}

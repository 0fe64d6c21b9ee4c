package registry_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"maps"
	"net"
	"slices"
	"strconv"
	"sync"
	"testing"
	"time"

	"github.com/hashicorp/consul/api"
	"go.uber.org/goleak"

	"ringkv/node/registry"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

var errDown = errors.New("connection refused")

// A check as the agent has it.
type check struct{ serviceID, status, output string }

// A fakeAgent is a Consul agent in memory.
type fakeAgent struct {
	mu       sync.Mutex // guards what follows
	services map[string]*api.AgentService
	checks   map[string]check
	hash     int           // grows when a definition changes
	changed  chan struct{} // closed when anything changes
	calls    []string      // what was done, in order; not the waits
	beats    int

	err     error // of every call
	hanging bool  // no call ends before its context does
	editing bool  // puts every definition into another form
}

func newFakeAgent() *fakeAgent {
	return &fakeAgent{services: map[string]*api.AgentService{}, checks: map[string]check{}, changed: make(chan struct{})}
}

// set changes something, and wakes those that wait.
func (a *fakeAgent) set(f func()) {
	a.mu.Lock()
	defer a.mu.Unlock()
	f()
	a.wakeLocked()
}

func (a *fakeAgent) wakeLocked() {
	close(a.changed)
	a.changed = make(chan struct{})
}

// restart loses everything, as an agent without a data directory does.
func (a *fakeAgent) restart() {
	a.set(func() {
		clear(a.services)
		clear(a.checks)
		a.hash += 100
	})
}

// enter is the beginning of each call.
func (a *fakeAgent) enter(ctx context.Context, call string) error {
	a.mu.Lock()
	hanging, err := a.hanging, a.err
	if call != "" {
		a.calls = append(a.calls, call)
	}
	a.mu.Unlock()
	if hanging {
		<-ctx.Done()
	}
	if ctx.Err() != nil {
		return ctx.Err()
	}
	return err
}

func (a *fakeAgent) Register(ctx context.Context, r *api.AgentServiceRegistration) error {
	if err := a.enter(ctx, "register "+r.ID); err != nil {
		return err
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	s := &api.AgentService{ID: r.ID, Service: r.Name, Address: r.Address, Port: r.Port, Tags: slices.Clone(r.Tags),
		Meta: maps.Clone(r.Meta), Weights: *r.Weights}
	if a.editing {
		s.Address = "another.form"
	}
	if old := a.services[r.ID]; old == nil || fmt.Sprint(*old) != fmt.Sprint(*s) {
		a.hash++
		a.services[r.ID] = s
	}
	for _, c := range r.Checks {
		if _, kept := a.checks[c.CheckID]; !kept { // status and output outlive a registration
			a.checks[c.CheckID] = check{r.ID, c.Status, ""}
		}
	}
	a.wakeLocked()
	return nil
}

func (a *fakeAgent) Deregister(ctx context.Context, serviceID string) error {
	if err := a.enter(ctx, "deregister "+serviceID); err != nil {
		return err
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.services[serviceID] == nil {
		return registry.ErrUnknown
	}
	delete(a.services, serviceID)
	maps.DeleteFunc(a.checks, func(_ string, c check) bool { return c.serviceID == serviceID })
	a.wakeLocked()
	return nil
}

func (a *fakeAgent) Service(ctx context.Context, serviceID, hash string, wait time.Duration) (*api.AgentService, string, error) {
	timer := time.NewTimer(wait)
	defer timer.Stop()
	for over := hash == ""; ; {
		if err := a.enter(ctx, ""); err != nil {
			return nil, "", err
		}
		a.mu.Lock()
		s, now, changed := a.services[serviceID], strconv.Itoa(a.hash), a.changed
		a.mu.Unlock()
		switch {
		case s == nil:
			return nil, "", fmt.Errorf("%w: %s", registry.ErrUnknown, serviceID)
		case over || now != hash:
			return s, now, nil
		}
		select {
		case <-changed:
		case <-timer.C:
			over = true
		case <-ctx.Done():
			return nil, "", ctx.Err()
		}
	}
}

func (a *fakeAgent) ServicesAt(ctx context.Context, service, host string, port int) ([]string, error) {
	if err := a.enter(ctx, ""); err != nil {
		return nil, err
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	var ids []string
	for id, s := range a.services {
		if s.Service == service && s.Address == host && s.Port == port {
			ids = append(ids, id)
		}
	}
	return ids, nil
}

func (a *fakeAgent) Checks(ctx context.Context, serviceID string) ([]string, error) {
	if err := a.enter(ctx, ""); err != nil {
		return nil, err
	}
	return a.checksOf(serviceID), nil
}

func (a *fakeAgent) checksOf(serviceID string) []string {
	a.mu.Lock()
	defer a.mu.Unlock()
	var ids []string
	for id, c := range a.checks {
		if c.serviceID == serviceID {
			ids = append(ids, id)
		}
	}
	slices.Sort(ids)
	return ids
}

func (a *fakeAgent) DeregisterCheck(ctx context.Context, checkID string) error {
	if err := a.enter(ctx, "deregister check "+checkID); err != nil {
		return err
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	delete(a.checks, checkID)
	return nil
}

func (a *fakeAgent) UpdateTTL(ctx context.Context, checkID, status, output string) error {
	if err := a.enter(ctx, ""); err != nil {
		return err
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	c, ok := a.checks[checkID]
	if !ok {
		return fmt.Errorf("%w: %s", registry.ErrUnknown, checkID)
	}
	a.checks[checkID] = check{c.serviceID, status, output}
	a.beats++
	return nil
}

// take returns what was done so far, and forgets it.
func (a *fakeAgent) take() []string {
	a.mu.Lock()
	defer a.mu.Unlock()
	calls := a.calls
	a.calls = nil
	return calls
}

func (a *fakeAgent) beatCount() int {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.beats
}

func (a *fakeAgent) has(serviceID string) bool {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.services[serviceID] != nil
}

func (a *fakeAgent) check(id string) check {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.checks[id]
}

// leave puts something there that the registrar didn't make.
func (a *fakeAgent) leave(id, name, addr string, checks ...string) {
	a.set(func() {
		host, text, _ := net.SplitHostPort(addr)
		port, _ := strconv.Atoi(text)
		a.services[id] = &api.AgentService{ID: id, Service: name, Address: host, Port: port}
		for _, c := range checks {
			a.checks[c] = check{id, api.HealthCritical, ""}
		}
	})
}

func desired() registry.Desired {
	return registry.Desired{
		Service: service, ID: "n1", Addr: "10.0.0.1:5000", Tags: []string{"v1", "zone-a"},
		Meta: registry.NodeMeta("n1", "d1", "json", 3, 1024, "a", "v1"),
	}
}

func quiet() registry.Options {
	return registry.Options{Log: slog.New(slog.NewTextHandler(io.Discard, nil)), Random: func() float64 { return 0.5 }}
}

func newRegistrar(t *testing.T, a *fakeAgent, o registry.Options) *registry.Registrar {
	t.Helper()
	r, err := registry.New(a, desired(), o)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

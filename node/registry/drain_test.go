package registry_test

import (
	"context"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/hashicorp/consul/api"

	"ringkv/node/registry"
)

// drain drains with a context that is done already, as a program's is when it was told to stop.
func drain(t *testing.T, r *registry.Registrar) (took time.Duration, err error) {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	start := time.Now()
	err = r.Drain(ctx)
	return time.Since(start), err
}

func TestDrainDeregistersForGood(t *testing.T) {
	registered(t, func(t *testing.T, a *fakeAgent, r *registry.Registrar) {
		if _, err := drain(t, r); err != nil {
			t.Errorf("Drain = %v", err)
		}
		pass(10 * time.Minute)
		if a.has(self) || r.State() != registry.Gone {
			t.Errorf("State = %v, registered %t after Drain", r.State(), a.has(self))
		}
		wantCalls(t, a, "deregister "+self)
		if _, err := drain(t, r); err != nil {
			t.Errorf("second Drain = %v", err)
		}
	})
}

func TestDrainOfWhatTheAgentHasForgotten(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a := newFakeAgent()
		r := newRegistrar(t, a, quiet()) // Run never came
		if _, err := drain(t, r); err != nil {
			t.Errorf("Drain = %v, want nil: it isn't there", err)
		}
	})
}

func TestDrainWaitsUntilItIsUnseen(t *testing.T) {
	for _, c := range []struct {
		name        string
		unseenAfter time.Duration
		least, most time.Duration
	}{
		{"soon", 300 * time.Millisecond, 300 * time.Millisecond, 350 * time.Millisecond},
		{"never", time.Hour, 2 * time.Second, 2100 * time.Millisecond},
	} {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				var seen atomic.Bool
				seen.Store(true)
				o := quiet()
				o.Seen = seen.Load
				a := newFakeAgent()
				r := newRegistrar(t, a, o)
				run(t, r.Run)
				pass(time.Second)
				if s := r.State(); s != registry.Active {
					t.Errorf("State = %v while it's seen, want active", s)
				}
				timer := time.AfterFunc(c.unseenAfter, func() { seen.Store(false) })
				defer timer.Stop()
				start := time.Now()
				if err := r.Drain(t.Context()); err != nil {
					t.Errorf("Drain = %v", err)
				}
				if took := time.Since(start); took < c.least || took > c.most {
					t.Errorf("Drain took %v, want %v to %v", took, c.least, c.most)
				}
			})
		})
	}
}

func TestDrainDuringBackOff(t *testing.T) {
	registered(t, func(t *testing.T, a *fakeAgent, r *registry.Registrar) {
		a.set(func() { a.err = errDown })
		pass(time.Minute)
		took, err := drain(t, r)
		if err == nil || took > time.Second {
			t.Errorf("Drain = %v after %v, want an error within a second", err, took)
		}
		a.take()
		a.set(func() { a.err = nil })
		pass(time.Minute)
		wantCalls(t, a) // above all no registration
	})
}

func TestDrainGetsThroughWhenTheAgentFailsOnce(t *testing.T) {
	registered(t, func(t *testing.T, a *fakeAgent, r *registry.Registrar) {
		a.set(func() { a.err = api.StatusError{Code: 500} })
		timer := time.AfterFunc(50*time.Millisecond, func() { a.set(func() { a.err = nil }) })
		defer timer.Stop()
		if _, err := drain(t, r); err != nil || a.has(self) {
			t.Errorf("Drain = %v, still registered %t", err, a.has(self))
		}
	})
}

func TestDrainWhileTheAgentHangs(t *testing.T) {
	registered(t, func(t *testing.T, a *fakeAgent, r *registry.Registrar) {
		a.set(func() { a.hanging = true })
		pass(time.Minute)
		took, err := drain(t, r)
		if err == nil || took > 4*time.Second {
			t.Errorf("Drain = %v after %v, want an error within four seconds", err, took)
		}
	})
}

// lateAgent takes a registration that was cut short after all, when everything is over.
type lateAgent struct{ *fakeAgent }

func (a lateAgent) Register(ctx context.Context, r *api.AgentServiceRegistration) error {
	<-ctx.Done()
	time.AfterFunc(time.Second, func() {
		if err := a.fakeAgent.Register(context.Background(), r); err != nil {
			panic(err)
		}
	})
	return ctx.Err()
}

func TestDrainUndoesARegistrationThatArrivesLate(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a := newFakeAgent()
		r, err := registry.New(lateAgent{a}, desired(), quiet())
		if err != nil {
			t.Fatal(err)
		}
		run(t, r.Run)
		pass(time.Second)
		if err := r.Drain(t.Context()); err != nil {
			t.Errorf("Drain = %v", err)
		}
		pass(time.Minute)
		if a.has(self) {
			t.Error("registered after Drain")
		}
	})
}

// stubbornAgent doesn't give up on a registration that is under way.
type stubbornAgent struct{ *fakeAgent }

func (a stubbornAgent) Register(_ context.Context, r *api.AgentServiceRegistration) error {
	pass(time.Second)
	return a.fakeAgent.Register(context.Background(), r)
}

func TestDrainWaitsForARegistrationUnderWay(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a := newFakeAgent()
		r, err := registry.New(stubbornAgent{a}, desired(), quiet())
		if err != nil {
			t.Fatal(err)
		}
		run(t, r.Run)
		pass(time.Second / 2)
		if _, err := drain(t, r); err != nil {
			t.Errorf("Drain = %v", err)
		}
		wantCalls(t, a, "register "+self, "deregister "+self)
	})
}

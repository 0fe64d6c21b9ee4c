package registry_test

import (
	"context"
	"errors"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/hashicorp/consul/api"

	"ringkv/node/registry"
)

const (
	self   = service + "-n1"
	selfUp = self + ":http"
	beat   = self + ":ttl"
	maint  = "_service_maintenance:" + self
)

// registered runs a test on a registrar that has registered at an agent.
func registered(t *testing.T, f func(t *testing.T, a *fakeAgent, r *registry.Registrar)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		a := newFakeAgent()
		r := newRegistrar(t, a, quiet())
		if s := r.State(); s != registry.Unregistered {
			t.Errorf("State before Run = %v", s)
		}
		run(t, r.Run)
		pass(time.Second)
		if s := r.State(); s != registry.Registered || !a.has(self) {
			t.Fatalf("State = %v, registered %t, want both", s, a.has(self))
		}
		a.take()
		f(t, a, r)
	})
}

// pass lets the bubble's time go by.
func pass(d time.Duration) { <-time.After(d) }

func wantCalls(t *testing.T, a *fakeAgent, want ...string) {
	t.Helper()
	if got := a.take(); !slices.Equal(got, want) {
		t.Errorf("the agent was told %q, want %q", got, want)
	}
}

func TestNothingIsWrittenWhileNothingChanges(t *testing.T) {
	registered(t, func(t *testing.T, a *fakeAgent, _ *registry.Registrar) {
		pass(10 * time.Minute)
		wantCalls(t, a)
	})
}

func TestHeartbeatsAreRegularAndConstant(t *testing.T) {
	registered(t, func(t *testing.T, a *fakeAgent, _ *registry.Registrar) {
		first := a.check(beat)
		if first.status != api.HealthPassing || first.output == "" {
			t.Errorf("heartbeat check = %+v, want passing with a text", first)
		}
		before := a.beatCount()
		pass(time.Minute)
		if n := a.beatCount() - before; n != 12 {
			t.Errorf("%d heartbeats in a minute, want 12", n)
		}
		if now := a.check(beat); now != first {
			t.Errorf("heartbeat check became %+v from %+v", now, first)
		}
	})
}

func TestAnAgentThatForgotEverything(t *testing.T) {
	registered(t, func(t *testing.T, a *fakeAgent, _ *registry.Registrar) {
		a.restart()
		pass(time.Second)
		wantCalls(t, a, "register "+self)
		if got := a.checksOf(self); !slices.Equal(got, []string{selfUp, beat}) {
			t.Errorf("checks = %v", got)
		}
	})
}

func TestAnAgentThatIsAwayAndComesBackEmpty(t *testing.T) {
	registered(t, func(t *testing.T, a *fakeAgent, r *registry.Registrar) {
		a.set(func() { a.err = errDown })
		pass(time.Hour)
		if s := r.State(); s != registry.Registering {
			t.Errorf("State = %v while the agent is away, want registering", s)
		}
		a.take()
		a.restart()
		a.set(func() { a.err = nil })
		pass(3 * time.Second) // half of the longest back-off, and a bit
		wantCalls(t, a, "register "+self)
		if s := r.State(); s != registry.Registered {
			t.Errorf("State = %v, want registered", s)
		}
	})
}

func TestAnAgentThatOnlyFailsFromTheStart(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a := newFakeAgent()
		a.set(func() { a.err = api.StatusError{Code: 500} })
		r := newRegistrar(t, a, quiet())
		run(t, r.Run)
		pass(time.Minute)
		if n := len(a.take()); n < 20 || n > 40 { // up to 2.5 s apart with this jitter
			t.Errorf("%d tries in a minute, want about 25", n)
		}
		a.set(func() { a.err = nil })
		pass(3 * time.Second)
		if !a.has(self) || r.State() != registry.Registered {
			t.Errorf("State = %v, registered %t, want both", r.State(), a.has(self))
		}
	})
}

func TestAnAgentThatHangs(t *testing.T) {
	registered(t, func(t *testing.T, a *fakeAgent, r *registry.Registrar) {
		a.set(func() { a.hanging = true })
		pass(10 * time.Minute)
		a.set(func() { a.hanging = false })
		a.restart()
		pass(90 * time.Second)
		if !a.has(self) || r.State() != registry.Registered {
			t.Errorf("State = %v, registered %t, want both", r.State(), a.has(self))
		}
	})
}

func TestAnEditIsUndone(t *testing.T) {
	for name, edit := range map[string]func(*api.AgentService){
		"meta":          func(s *api.AgentService) { s.Meta = map[string]string{"node_id": "n2"} },
		"tags":          func(s *api.AgentService) { s.Tags = nil },
		"address":       func(s *api.AgentService) { s.Address = "10.9.9.9" },
		"port":          func(s *api.AgentService) { s.Port++ },
		"name":          func(s *api.AgentService) { s.Service = "other" },
		"weight":        func(s *api.AgentService) { s.Weights.Passing = 9 },
		"tags override": func(s *api.AgentService) { s.EnableTagOverride = true },
	} {
		t.Run(name, func(t *testing.T) {
			registered(t, func(t *testing.T, a *fakeAgent, _ *registry.Registrar) {
				a.set(func() {
					s := *a.services[self]
					edit(&s)
					a.services[self] = &s
					a.hash++
				})
				pass(time.Second)
				wantCalls(t, a, "register "+self)
			})
		})
	}
}

func TestWhatTheAgentAddsIsNoEdit(t *testing.T) {
	registered(t, func(t *testing.T, a *fakeAgent, _ *registry.Registrar) {
		a.set(func() {
			s := *a.services[self]
			s.TaggedAddresses = map[string]api.ServiceAddress{"lan_ipv4": {Address: s.Address, Port: s.Port}}
			s.Tags = []string{"zone-a", "v1"} // in another order
			a.services[self] = &s
			a.hash++
		})
		pass(time.Minute)
		wantCalls(t, a)
	})
}

// An agent that never shows what it was told must not be told without end.
func TestRewritesAreSpacedOut(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a := newFakeAgent()
		a.set(func() { a.editing = true })
		r := newRegistrar(t, a, quiet())
		run(t, r.Run)
		pass(time.Minute)
		if n := len(a.take()); n < 10 || n > 40 {
			t.Errorf("%d registrations in a minute, want about 25", n)
		}
		if c := a.check(beat); c.status != api.HealthPassing || c.output == "" {
			t.Errorf("heartbeat check = %+v, want beats all the same", c)
		}
	})
}

func TestADeletedCheckComesBack(t *testing.T) {
	for id, within := range map[string]time.Duration{beat: 5 * time.Second, selfUp: 30 * time.Second} {
		t.Run(id, func(t *testing.T) {
			registered(t, func(t *testing.T, a *fakeAgent, _ *registry.Registrar) {
				a.set(func() { delete(a.checks, id) })
				pass(within)
				wantCalls(t, a, "register "+self)
				if got := a.checksOf(self); !slices.Equal(got, []string{selfUp, beat}) {
					t.Errorf("checks = %v", got)
				}
			})
		})
	}
}

func TestFailAndRecoverAreToldAtOnce(t *testing.T) {
	registered(t, func(t *testing.T, a *fakeAgent, r *registry.Registrar) {
		r.Fail("disk full")
		synctest.Wait()
		if c := a.check(beat); c.status != api.HealthCritical || c.output != "disk full" {
			t.Errorf("heartbeat check = %+v after Fail", c)
		}
		a.restart() // a new check must not start as passing
		synctest.Wait()
		if c := a.check(beat); c.status != api.HealthCritical {
			t.Errorf("heartbeat check = %+v after a new registration while failed", c)
		}
		pass(time.Minute)
		if c := a.check(beat); c.status != api.HealthCritical || c.output != "disk full" {
			t.Errorf("heartbeat check = %+v a minute after Fail", c)
		}
		r.Recover()
		synctest.Wait()
		if c := a.check(beat); c.status != api.HealthPassing {
			t.Errorf("heartbeat check = %+v after Recover", c)
		}
	})
}

func TestFailWhileTheAgentIsAwayIsToldWhenItIsBack(t *testing.T) {
	registered(t, func(t *testing.T, a *fakeAgent, r *registry.Registrar) {
		a.set(func() { a.err = errDown })
		r.Fail("disk full")
		pass(time.Minute)
		a.set(func() { a.err = nil })
		pass(3 * time.Second)
		if c := a.check(beat); c.status != api.HealthCritical {
			t.Errorf("heartbeat check = %+v", c)
		}
	})
}

func TestLeftoversAreTakenOutAtTheStart(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a := newFakeAgent()
		a.leave(self, service, "10.0.0.1:5000", "service:"+self, selfUp, maint)
		a.leave(service+"-old", service, "10.0.0.1:5000", service+"-old:http")
		a.leave(service+"-other", service, "10.0.0.1:5001", service+"-other:http")
		a.leave("web", "web", "10.0.0.1:5000", "web:http")
		r := newRegistrar(t, a, quiet())
		run(t, r.Run)
		pass(time.Minute)
		wantCalls(t, a, "register "+self, "deregister check service:"+self, "deregister "+service+"-old")
		if got := a.checksOf(self); !slices.Equal(got, []string{maint, selfUp, beat}) {
			t.Errorf("checks = %v, want the maintenance still among them", got)
		}
		for _, id := range []string{service + "-other", "web"} {
			if !a.has(id) {
				t.Errorf("%s is gone, which is none of ours", id)
			}
		}
	})
}

func TestMaintenanceStaysOverEverything(t *testing.T) {
	registered(t, func(t *testing.T, a *fakeAgent, r *registry.Registrar) {
		a.set(func() { a.checks[maint] = check{self, api.HealthCritical, "new disk"} })
		a.set(func() { delete(a.checks, selfUp) }) // makes it register again
		r.Fail("x")
		r.Recover()
		pass(10 * time.Minute)
		if got := a.checksOf(self); !slices.Equal(got, []string{maint, selfUp, beat}) {
			t.Errorf("checks = %v", got)
		}
	})
}

func TestRunTwiceAndRunAfterDrain(t *testing.T) {
	registered(t, func(t *testing.T, a *fakeAgent, r *registry.Registrar) {
		if err := r.Run(t.Context()); !errors.Is(err, registry.ErrRunning) {
			t.Errorf("second Run = %v, want %v", err, registry.ErrRunning)
		}
		if err := r.Drain(t.Context()); err != nil {
			t.Errorf("Drain = %v", err)
		}
		if err := r.Run(t.Context()); err != nil {
			t.Errorf("Run after Drain = %v, want nil", err)
		}
		if a.has(self) {
			t.Error("Run after Drain registered again")
		}
	})
}

func TestRunAgainAfterItsContextEnded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a := newFakeAgent()
		r := newRegistrar(t, a, quiet())
		for range 2 {
			ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
			if err := r.Run(ctx); err != nil {
				t.Errorf("Run = %v, want nil", err)
			}
			cancel()
			if !a.has(self) {
				t.Error("the end of Run deregistered, which is Drain's business")
			}
		}
	})
}

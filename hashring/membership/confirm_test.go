package membership

import (
	"testing"
	"testing/synctest"
	"time"
)

var abc = []string{"a", "b", "c"}

// within runs a test against a Consul with three nodes that pass, and a live Watcher.
func within(t *testing.T, f func(t *testing.T, c *fakeConsul, w *Watcher)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		c := newFakeConsul(abc...)
		w := watch(t, c)
		<-w.Ready()
		sleep(t.Context(), resyncEvery-10*time.Second) // full bucket, nothing in flight
		f(t, c, w)
	})
}

func TestOneNodeLessIsBelievedAtOnce(t *testing.T) {
	within(t, func(t *testing.T, c *fakeConsul, w *Watcher) {
		c.check(false, "b") // though it answers
		synctest.Wait()
		wantMembers(t, w, "a", "c")
		wantState(t, w, Live)
	})
}

func TestAllGoneInConsulButServingAreHeldUntilTheyAreBack(t *testing.T) {
	for name, lose := range map[string]func(c *fakeConsul){
		"agent restarted": func(c *fakeConsul) { c.check(false, abc...) },
		"deregistered":    func(c *fakeConsul) { c.do(func() { c.index++; clear(c.entries) }) },
	} {
		t.Run(name, func(t *testing.T) {
			within(t, func(t *testing.T, c *fakeConsul, w *Watcher) {
				lose(c)
				for range 8 {
					sleep(t.Context(), time.Second)
					wantMembers(t, w, abc...)
					wantState(t, w, Confirm)
				}
				for _, id := range abc {
					c.join(id)
				}
				sleep(t.Context(), 2*holdReread)
				wantMembers(t, w, abc...)
				wantState(t, w, Live)
			})
		})
	}
}

func TestNodesTakenOutOneByOneAreHeldFromTheSecondOn(t *testing.T) {
	within(t, func(t *testing.T, c *fakeConsul, w *Watcher) {
		c.check(false, "b")
		synctest.Wait()
		wantMembers(t, w, "a", "c")
		for _, id := range []string{"c", "a"} {
			c.check(false, id)
			sleep(t.Context(), 2*time.Second)
			wantMembers(t, w, "a", "c")
			wantState(t, w, Confirm)
		}
		c.check(true, abc...)
		sleep(t.Context(), 2*holdReread)
		wantMembers(t, w, abc...)
		wantState(t, w, Live)
	})
}

func TestAWipedConsulIsHeldUntilTheNodesAreBack(t *testing.T) {
	within(t, func(t *testing.T, c *fakeConsul, w *Watcher) {
		c.wipe()
		sleep(t.Context(), waitTime+time.Second) // a real one doesn't wake who waits for the old index either
		wantMembers(t, w, abc...)
		wantState(t, w, Confirm)
		for _, id := range abc {
			c.join(id)
		}
		sleep(t.Context(), 2*holdReread)
		wantMembers(t, w, abc...)
		wantState(t, w, Live)
	})
}

func TestMostGoneAndDeadIsBelievedAtOnce(t *testing.T) {
	within(t, func(t *testing.T, c *fakeConsul, w *Watcher) {
		c.die("a", "b")
		c.check(false, "a", "b")
		sleep(t.Context(), 400*time.Millisecond)
		wantMembers(t, w, "c")
		wantState(t, w, Live)
	})
}

func TestMostGoneAndHangingIsBelievedAfterTwoQuestions(t *testing.T) {
	within(t, func(t *testing.T, c *fakeConsul, w *Watcher) {
		c.do(func() { c.latency = time.Hour })
		c.check(false, "a", "b")
		sleep(t.Context(), 1500*time.Millisecond)
		wantMembers(t, w, "c")
	})
}

// A machine so busy that a health check takes half a second must not lose nodes because Consul was emptied.
func TestMostGoneAndSlowStay(t *testing.T) {
	within(t, func(t *testing.T, c *fakeConsul, w *Watcher) {
		c.do(func() { c.latency = 600 * time.Millisecond })
		c.check(false, "a", "b")
		for range 30 {
			sleep(t.Context(), 100*time.Millisecond)
			wantMembers(t, w, abc...)
		}
	})
}

func TestMostGoneAndServingIsBelievedInTheEnd(t *testing.T) {
	within(t, func(t *testing.T, c *fakeConsul, w *Watcher) {
		c.check(false, "a", "b")
		sleep(t.Context(), holdFor-time.Second)
		wantMembers(t, w, abc...)
		sleep(t.Context(), 3*time.Second)
		wantMembers(t, w, "c")
		wantState(t, w, Live)
	})
}

func TestMostGoneIntoMaintenanceIsBelievedAtOnce(t *testing.T) {
	within(t, func(t *testing.T, c *fakeConsul, w *Watcher) {
		c.do(func() {
			c.index++
			for _, id := range []string{"a", "b"} {
				e := c.entries[id]
				e.Passing, e.Maintenance = false, true
				c.entries[id] = e
			}
		})
		synctest.Wait()
		wantMembers(t, w, "c")
		wantState(t, w, Live)
	})
}

func TestTheLastRingIsNeverEmptied(t *testing.T) {
	for name, die := range map[string]bool{"dead": true, "serving": false} {
		t.Run(name, func(t *testing.T) {
			within(t, func(t *testing.T, c *fakeConsul, w *Watcher) {
				if die {
					c.die(abc...)
				}
				c.check(false, abc...)
				for range 100 {
					sleep(t.Context(), time.Second)
					wantMembers(t, w, abc...)
				}
				wantState(t, w, Confirm)
				c.die(abc...)
				c.join("d") // the first that passes again decides
				sleep(t.Context(), 2*time.Second)
				wantMembers(t, w, "d")
				wantState(t, w, Live)
			})
		})
	}
}

func TestAHeldNodeThatDiesLeaves(t *testing.T) {
	within(t, func(t *testing.T, c *fakeConsul, w *Watcher) {
		c.check(false, abc...)
		sleep(t.Context(), 3*time.Second)
		c.die("b")
		sleep(t.Context(), 2*holdReread)
		wantMembers(t, w, "a", "c")
		c.check(true, "a") // and one that comes back doesn't shorten the wait of the other
		c.join("d")
		sleep(t.Context(), 2*holdReread)
		wantMembers(t, w, "a", "c", "d")
		wantState(t, w, Confirm)
	})
}

func TestConsulFailingInTheMiddleOfADoubtKeepsTheRing(t *testing.T) {
	within(t, func(t *testing.T, c *fakeConsul, w *Watcher) {
		c.check(false, abc...)
		sleep(t.Context(), 5*time.Second)
		c.do(func() { c.err = ErrNoServer })
		sleep(t.Context(), time.Minute)
		wantMembers(t, w, abc...)
		wantState(t, w, Blind)
		c.do(func() { c.err = nil })
		c.check(true, "a")
		sleep(t.Context(), 6*time.Second)
		wantMembers(t, w, abc...) // the doubt starts anew
		c.check(true, "b", "c")
		sleep(t.Context(), 2*holdReread)
		wantMembers(t, w, abc...)
		wantState(t, w, Live)
	})
}

// A Consul that comes back empty is filled again node by node: whoever is a moment late must not be taken for dead.
func TestOneMissingAfterAnOutageIsHeldIfItServes(t *testing.T) {
	within(t, func(t *testing.T, c *fakeConsul, w *Watcher) {
		c.do(func() { c.err = errDown })
		sleep(t.Context(), time.Minute)
		c.check(false, "b")
		c.do(func() { c.err = nil })
		sleep(t.Context(), 10*time.Second)
		wantMembers(t, w, abc...)
		wantState(t, w, Confirm)
		c.check(true, "b")
		sleep(t.Context(), 2*holdReread)
		wantMembers(t, w, abc...)
		wantState(t, w, Live)
		sleep(t.Context(), holdFor)
		c.check(false, "b") // and later it's the ordinary failure again
		synctest.Wait()
		wantMembers(t, w, "a", "c")
	})
}

// A Consul that is started again remembers everybody as passing at first. Then its checks begin anew, so that it puts the nodes
// out one by one, and in again as they pass.
func TestOneOutAfterConsulAnswersAgainIsHeldIfItServes(t *testing.T) {
	within(t, func(t *testing.T, c *fakeConsul, w *Watcher) {
		c.do(func() { c.err = errDown })
		sleep(t.Context(), time.Minute)
		c.do(func() { c.err = nil })
		sleep(t.Context(), backoffCap)
		wantMembers(t, w, abc...)
		wantState(t, w, Live)
		for _, id := range []string{"b", "c"} {
			c.check(false, id)
			sleep(t.Context(), time.Second)
			wantMembers(t, w, abc...)
			wantState(t, w, Confirm)
		}
		c.check(true, "c")
		sleep(t.Context(), 3*holdReread)
		wantMembers(t, w, abc...)
		wantState(t, w, Confirm)
		c.check(true, "b")
		sleep(t.Context(), 2*holdReread)
		wantMembers(t, w, abc...)
		wantState(t, w, Live)
	})
}

func TestOneOutAfterConsulAnswersAgainLeavesAtOnceIfItRefuses(t *testing.T) {
	within(t, func(t *testing.T, c *fakeConsul, w *Watcher) {
		c.do(func() { c.err = errDown })
		sleep(t.Context(), time.Minute)
		c.do(func() { c.err = nil })
		sleep(t.Context(), backoffCap)
		c.die("b")
		c.check(false, "b")
		synctest.Wait()
		wantMembers(t, w, "a", "c")
		wantState(t, w, Live)
	})
}

// A program may be started just when Consul is, and begin with what any server remembers.
func TestOneOutAfterAStaleFirstAnswerIsHeldIfItServes(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newFakeConsul(abc...)
		c.do(func() { c.err = ErrNoServer })
		w := watch(t, c)
		<-w.Ready()
		c.do(func() { c.err = nil })
		c.check(false, "b")
		sleep(t.Context(), time.Second)
		wantMembers(t, w, abc...)
		wantState(t, w, Confirm)
	})
}

func TestOneMissingAfterAnOutageLeavesIfItIsDead(t *testing.T) {
	within(t, func(t *testing.T, c *fakeConsul, w *Watcher) {
		c.do(func() { c.err = errDown })
		sleep(t.Context(), time.Minute)
		c.die("b")
		c.check(false, "b")
		c.do(func() { c.err = nil })
		sleep(t.Context(), backoffCap)
		wantMembers(t, w, "a", "c")
		wantState(t, w, Live)
	})
}

func TestAConfirmingReadIsConsistentAndWhole(t *testing.T) {
	within(t, func(t *testing.T, c *fakeConsul, w *Watcher) {
		c.asked()
		c.die(abc...)
		c.check(false, abc...)
		synctest.Wait()
		requests := c.asked()
		if len(requests) < 2 {
			t.Fatalf("asked %+v, want a read afresh", requests)
		}
		if want := (Request{All: true, Consistent: true}); requests[0] != want {
			t.Errorf("asked %+v, want %+v", requests[0], want)
		}
	})
}

func TestTheWatchGoesOnFromTheConfirmingRead(t *testing.T) {
	within(t, func(t *testing.T, c *fakeConsul, _ *Watcher) {
		c.check(false, abc...)
		sleep(t.Context(), 3*time.Second)
		c.check(true, abc...)
		sleep(t.Context(), 2*time.Second)
		requests := c.asked()
		last, before := requests[len(requests)-1], requests[len(requests)-2]
		if last.Index != c.index || !before.Consistent {
			t.Errorf("asked %+v and then %+v, want a consistent read and then to wait for index %d", before, last, c.index)
		}
	})
}

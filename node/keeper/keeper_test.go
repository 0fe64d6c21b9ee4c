package keeper

import (
	"context"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/prometheus/client_golang/prometheus/testutil"

	"ringkv/hashring/membership"
	"ringkv/hashring/placement"
)

func TestKeeperBeginsOnceTheFirstNodesAreThere(t *testing.T) {
	inBubble(t, func(w *world) {
		k, stop := w.keep(&freeLock{})
		defer stop()
		w.wantStill(10*time.Second, "nothing")
		w.pass("a")
		time.Sleep(time.Second)
		w.pass("a b c")
		w.wantStill(settle-50*time.Millisecond, "nothing")
		w.want(askEvery+time.Second, "0: a b c")
		if got := k.Status(); !got.Holding || got.Waiting != "" {
			t.Errorf("Status = %+v, want holding and nothing to wait for", got)
		}
		w.wantStill(time.Hour, "0: a b c")
	})
}

func TestKeeperFollowsJoins(t *testing.T) {
	inBubble(t, func(w *world) {
		_, stop := w.keep(&freeLock{})
		defer stop()
		w.pass("a b c")
		w.want(5*time.Second, "0: a b c")
		w.pass("a b c d")
		time.Sleep(time.Second)
		w.pass("a b c d e")
		w.want(5*time.Second, "1: a b c d e") // those that come together go in together
		w.pass("a b/2 c d*2 e@z")
		w.want(5*time.Second, "2: a b/2 c d*2 e@z")
		w.pass("a c")
		w.wantStill(time.Hour, "2: a b/2 c d*2 e@z")
		w.wantChain()
	})
}

// TestKeeperAtRestIsCheap counts what the holder of the lock does while nothing changes.
func TestKeeperAtRestIsCheap(t *testing.T) {
	inBubble(t, func(w *world) {
		_, stop := w.keep(&freeLock{})
		defer stop()
		w.pass("a b c")
		w.want(5*time.Second, "0: a b c")
		gets, asked := w.counts()
		time.Sleep(10 * time.Minute)
		moreGets, moreAsked := w.counts()
		if got := moreGets - gets; got > 1210 {
			t.Errorf("the key was read %d times in ten minutes, want two a second", got)
		}
		if got := moreAsked - asked; got < 27 || got > 33 {
			t.Errorf("three nodes were asked %d times in ten minutes, want each once a minute", got)
		}
	})
}

// TestKeepersAtOnceAreHarmless runs three keepers that all believe to hold the lock, and whose writes come late.
func TestKeepersAtOnceAreHarmless(t *testing.T) {
	for seed := range uint64(10) {
		inBubble(t, func(w *world) {
			w.key.delay = within(3*time.Second, seed)
			var keepers []*Keeper
			for range 3 {
				k, stop := w.keep(&freeLock{})
				defer stop()
				keepers = append(keepers, k)
			}
			for n := 3; n < 30; n += 3 {
				w.pass(nodeNames(n))
				time.Sleep(time.Duration(500+300*n) * time.Millisecond)
			}
			time.Sleep(time.Minute)
			if got, want := line(w.key.last()), nodeNames(27); !strings.HasSuffix(got, ": "+want) {
				t.Errorf("seed %d: the placement is %s, want all of %s", seed, got, want)
			}
			w.wantChain()
			var overtaken float64
			for _, k := range keepers {
				overtaken += testutil.ToFloat64(k.metrics.proposals.WithLabelValues("overtaken"))
			}
			if overtaken == 0 {
				t.Errorf("seed %d: no keeper was overtaken: the test has shown nothing", seed)
			}
		})
	}
}

// TestALateWriteIsRefused: a keeper is stopped for a while between its decision and its write.
func TestALateWriteIsRefused(t *testing.T) {
	inBubble(t, func(w *world) {
		w.pass("a b c")
		w.key.delay = func() time.Duration { return 4 * time.Second }
		_, stop := w.keep(&freeLock{})
		defer stop()
		time.Sleep(3 * time.Second) // it has decided
		meanwhile := doc(t, "a b c d")
		value, err := meanwhile.Encode()
		if err != nil {
			t.Fatal(err)
		}
		w.key.set(value)
		time.Sleep(2 * time.Second)
		if got := w.key.last(); got != nil {
			t.Errorf("%s was written over generation 0 of another keeper", line(got))
		}
	})
}

func TestKeeperWritesALostPlacementAgain(t *testing.T) {
	inBubble(t, func(w *world) {
		k, stop := w.keep(&freeLock{})
		defer stop()
		w.pass("a b c")
		w.want(5*time.Second, "0: a b c")
		first := w.key.last()
		w.mu.Lock()
		w.follow, w.silent["b"], w.silent["c"] = false, true, true
		w.docs["a"], w.docs["b"], w.docs["c"] = first, first, first
		w.mu.Unlock()
		w.key.set(nil)
		w.wantStill(time.Minute, "0: a b c")
		if got := k.Status().Waiting; !strings.Contains(got, "waiting for some of b, c") {
			t.Errorf("Status().Waiting = %q, want the nodes it waits for", got)
		}
		w.mu.Lock()
		w.silent = map[string]bool{}
		w.mu.Unlock()
		w.want(askEvery+time.Second, "1: a b c")
		w.wantChain()
	})
}

// TestAPlacementThatConsulLostIsSoonThereAgain: nothing moves with it, so it needn't wait as changes do.
func TestAPlacementThatConsulLostIsSoonThereAgain(t *testing.T) {
	inBubble(t, func(w *world) {
		_, stop := w.keep(&freeLock{})
		defer stop()
		w.pass("a b c")
		w.want(5*time.Second, "0: a b c")
		w.key.fail(errAway)
		time.Sleep(10 * time.Second)
		w.key.set(nil)
		w.key.fail(nil)
		w.wantStill(hush-time.Second, "0: a b c")
		w.want(askEvery+2*time.Second, "1: a b c")
		w.pass("a b c d")
		w.wantStill(calm-hush-5*time.Second, "1: a b c") // this moves something
		w.want(10*time.Second, "2: a b c d")
		w.wantChain()
	})
}

// TestKeeperWritesAboveWhatWasPromised: a generation was lost that slots of a node have promised. Nothing else is to be done, so it's found
// at the next audit.
func TestKeeperWritesAboveWhatWasPromised(t *testing.T) {
	inBubble(t, func(w *world) {
		m := &mover{w: w}
		_, stop := w.keep(&freeLock{}, func(o *Options) { o.Progress = m.progress })
		defer stop()
		w.pass("a b c")
		w.want(5*time.Second, "0: a b c")
		m.promised.Store(2)
		w.want(auditEvery+5*time.Second, "3: a b c")
		w.wantStill(10*time.Minute, "3: a b c")
		m.promised.Store(4)
		w.key.set(nil)
		w.want(5*time.Second, "5: a b c")
		w.pass("a b c d")
		w.want(5*time.Second, "6: a b c d")
	})
}

// TestKeeperDoesNotBeginAnew where one node that remembers is slow to answer.
func TestKeeperDoesNotBeginAnew(t *testing.T) {
	inBubble(t, func(w *world) {
		w.follow, w.silent["c"] = false, true
		w.docs["c"] = doc(t, "a b c", "a b c")
		_, stop := w.keep(&freeLock{})
		defer stop()
		w.pass("a b c")
		w.wantStill(time.Minute, "nothing")
		w.mu.Lock()
		w.silent = map[string]bool{}
		w.mu.Unlock()
		w.want(askEvery+time.Second, "2: a b c")
	})
}

func TestKeeperIsQuietAfterAnOutage(t *testing.T) {
	inBubble(t, func(w *world) {
		k, stop := w.keep(&freeLock{})
		defer stop()
		w.pass("a b c")
		w.want(5*time.Second, "0: a b c")
		w.key.fail(errAway)
		time.Sleep(10 * time.Second)
		if got := k.Status().Waiting; !strings.Contains(got, errAway.Error()) {
			t.Errorf("Status().Waiting = %q, want %v", got, errAway)
		}
		w.pass("a b c d")
		w.key.fail(nil)
		w.wantStill(calm-time.Second, "0: a b c")
		w.want(5*time.Second, "1: a b c d")
	})
}

// TestAnOutageSeenElsewhereCounts: the program's watch of Consul has failed, the keeper's own calls haven't.
func TestAnOutageSeenElsewhereCounts(t *testing.T) {
	inBubble(t, func(w *world) {
		w.outages = time.Now()
		w.pass("a b c")
		_, stop := w.keep(&freeLock{})
		defer stop()
		w.wantStill(calm-time.Second, "nothing")
		w.want(5*time.Second, "0: a b c")
	})
}

// TestConsulThatIsNotUpYetIsNoOutage: nodes start before Consul does.
func TestConsulThatIsNotUpYetIsNoOutage(t *testing.T) {
	inBubble(t, func(w *world) {
		lock := &freeLock{err: errAway}
		k, stop := w.keep(lock)
		defer stop()
		w.pass("a b c")
		time.Sleep(10 * time.Second)
		if k.Status().Holding {
			t.Error("it holds a lock that it never got")
		}
		lock.set(nil)
		w.want(backoffLimit+settle+2*time.Second, "0: a b c")
	})
}

func TestKeeperComesBackAfterLosingItsLock(t *testing.T) {
	inBubble(t, func(w *world) {
		lock := &freeLock{}
		k, stop := w.keep(lock)
		defer stop()
		w.pass("a b c")
		w.want(5*time.Second, "0: a b c")
		lock.set(errAway)
		time.Sleep(time.Minute)
		if k.Status().Holding {
			t.Error("it goes on without its lock")
		}
		if lock.holds > 40 {
			t.Errorf("%d attempts at the lock in a minute, want one in some seconds", lock.holds)
		}
		lock.set(nil)
		w.pass("a b c d")
		w.wantStill(calm-backoffLimit, "0: a b c")
		w.want(2*backoffLimit, "1: a b c d")
	})
}

// TestKeeperLeavesJunkAlone: whoever edits the key by hand has to mend it.
func TestKeeperLeavesJunkAlone(t *testing.T) {
	inBubble(t, func(w *world) {
		w.key.set([]byte(`{"generation":4`))
		w.pass("a b c")
		k, stop := w.keep(&freeLock{})
		defer stop()
		w.wantStill(time.Minute, "nothing")
		if got := k.Status().Waiting; !strings.Contains(got, "put back what it held") || !strings.Contains(got, placement.ErrMalformed.Error()) {
			t.Errorf("Status().Waiting = %q, want what is wrong and what to do", got)
		}
	})
}

// TestSilentNodesHoldUpNobody: most of many nodes don't answer, the placement's do.
func TestSilentNodesHoldUpNobody(t *testing.T) {
	inBubble(t, func(w *world) {
		_, stop := w.keep(&freeLock{})
		defer stop()
		w.pass("a b c")
		w.want(5*time.Second, "0: a b c")
		w.mu.Lock()
		for _, id := range strings.Fields(nodeNames(64)) {
			w.silent[id] = true
		}
		w.mu.Unlock()
		w.pass("a b c " + nodeNames(64))
		w.want(settle+64/askAtOnce*askTimeout+2*time.Second, "1: a b c "+nodeNames(64))
	})
}

// TestAKeeperThatCanNotLetsAnotherTry: the one that comes first was started with the wrong flag, or can reach no node.
func TestAKeeperThatCanNotLetsAnotherTry(t *testing.T) {
	for name, handicap := range map[string]func(*Options){
		"other replicas": func(o *Options) { o.Replicas = 2 },
		"cut off": func(o *Options) {
			o.Remembered = func(context.Context, membership.Member) (*placement.Document, error) { return nil, errAway }
		},
	} {
		t.Run(name, func(t *testing.T) {
			inBubble(t, func(w *world) {
				value, err := doc(t, "a b c").Encode()
				if err != nil {
					t.Fatal(err)
				}
				if _, err := w.key.CompareAndSet(t.Context(), value, 0); err != nil {
					t.Fatal(err)
				}
				lock := make(oneLock, 1)
				bad, stop := w.keep(lock, handicap)
				defer stop()
				synctest.Wait()
				good, stop := w.keep(lock)
				defer stop()
				w.pass("a b c")
				time.Sleep(10 * time.Second)
				if !bad.Status().Holding || good.Status().Holding {
					t.Fatal("the lock is not with the first keeper: the test would show nothing")
				}
				w.pass("a b c d")
				w.want(3*stuckAfter, "1: a b c d")
				if bad.Status().Holding || !good.Status().Holding {
					t.Errorf("keepers: %+v and %+v, want the second to hold the lock", bad.Status(), good.Status())
				}
			})
		})
	}
}

// TestAKeeperWithNothingToDoKeepsItsLock, whoever it leaves out.
func TestAKeeperWithNothingToDoKeepsItsLock(t *testing.T) {
	inBubble(t, func(w *world) {
		lock := &freeLock{}
		k, stop := w.keep(lock)
		defer stop()
		w.pass("a b c")
		w.want(5*time.Second, "0: a b c")
		w.pass("a b c d:2")
		w.wantStill(10*time.Minute, "0: a b c")
		if lock.holds != 1 || !strings.Contains(k.Status().Waiting, "node d is left out") {
			t.Errorf("%d holds, %+v, want one, and why d is left out", lock.holds, k.Status())
		}
	})
}

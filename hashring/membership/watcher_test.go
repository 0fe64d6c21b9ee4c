package membership

import (
	"context"
	"slices"
	"testing"
	"testing/synctest"
	"time"
)

// A reply is what Consul says to one question of a script.
type reply struct {
	index    uint64
	members  []Member
	err      error
	filtered bool
}

// Each row is a conversation: what Consul says in turn, the indexes that are asked for in turn, and what is known then.
// The last question is the one that the script leaves open.
func TestConversations(t *testing.T) {
	abc := list("a", "b", "c")
	for _, c := range []struct {
		name    string
		replies []reply
		asked   []uint64
		want    []string
		state   State
	}{
		{"first answer", []reply{{index: 7, members: abc}}, []uint64{0, 7}, ids(abc), Live},
		{"first answer is empty", []reply{{index: 7}}, []uint64{0, 7}, nil, Live},
		{"index 0 in the first answer", []reply{{index: 0, members: abc}}, []uint64{0, 1}, ids(abc), Live},
		{"equal index: the wait ran out, the body means nothing",
			[]reply{{index: 7, members: abc}, {index: 7}}, []uint64{0, 7, 7}, ids(abc), Live},
		{"lower index: the body is discarded, and it's read afresh",
			[]reply{{index: 7, members: abc}, {index: 3}, {index: 3, members: abc}}, []uint64{0, 7, 0, 3}, ids(abc), Live},
		{"zero index",
			[]reply{{index: 7, members: abc}, {index: 0}, {index: 9, members: abc}}, []uint64{0, 7, 0, 9}, ids(abc), Live},
		{"higher index, nothing new",
			[]reply{{index: 7, members: abc}, {index: 8, members: abc}}, []uint64{0, 7, 8}, ids(abc), Live},
		{"one more", []reply{{index: 7, members: list("a")}, {index: 8, members: abc}}, []uint64{0, 7, 8}, ids(abc), Live},
		{"one less", []reply{{index: 7, members: abc}, {index: 8, members: list("a", "c")}}, []uint64{0, 7, 8}, []string{"a", "c"}, Live},
		{"error: what is known stays", []reply{{index: 7, members: abc}, {err: errDown}}, []uint64{0, 7, 0}, ids(abc), Blind},
		{"error, then success: from index 0",
			[]reply{{index: 7, members: abc}, {err: errDown}, {index: 9, members: abc}}, []uint64{0, 7, 0, 9}, ids(abc), Live},
		{"errors before the first answer",
			[]reply{{err: errDown}, {err: errDown}, {index: 9, members: abc}}, []uint64{0, 0, 0, 9}, ids(abc), Live},
		{"forbidden", []reply{{index: 7, members: abc}, {err: ErrForbidden}}, []uint64{0, 7, 0}, ids(abc), Blind},
		{"filtered by ACLs at the start", []reply{{index: 7, filtered: true}, {index: 7, members: abc}}, []uint64{0, 0, 7}, ids(abc), Live},
		{"filtered by ACLs later",
			[]reply{{index: 7, members: abc}, {index: 8, filtered: true}}, []uint64{0, 7, 0}, ids(abc), Blind},
		{"an agent without servers: empty answers with index 1, and errors at index 0",
			[]reply{{index: 7, members: abc}, {index: 1}, {err: ErrNoServer}, {err: ErrNoServer}, {index: 9, members: abc}, {index: 1}, {err: ErrNoServer}},
			[]uint64{0, 7, 0, 0, 0, 9, 0, 0}, ids(abc), Blind},
	} {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				var asked []uint64
				script := func(ctx context.Context, req Request) (*Answer, error) {
					asked = append(asked, req.Index)
					if len(asked) > len(c.replies) {
						<-ctx.Done()
						return nil, ctx.Err()
					}
					r := c.replies[len(asked)-1]
					answer := &Answer{Index: r.index, Filtered: r.filtered}
					for _, m := range r.members {
						answer.Entries = append(answer.Entries, Entry{Member: m, Passing: true})
					}
					return answer, r.err
				}
				w := NewWatcher(script, nil, quiet())
				run(t, w.Run)
				sleep(t.Context(), 9*time.Second) // less than a call may take, so that the open question stays open
				synctest.Wait()
				if !slices.Equal(asked, c.asked) {
					t.Errorf("asked for indexes %v, want %v", asked, c.asked)
				}
				wantMembers(t, w, c.want...)
				wantState(t, w, c.state)
			})
		})
	}
}

func TestColdWithoutConsul(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newFakeConsul("a")
		c.do(func() { c.err = errDown })
		w := watch(t, c)
		sleep(t.Context(), time.Hour)
		wantState(t, w, Cold)
		if s := w.Snapshot(); s != nil {
			t.Errorf("Snapshot = %v without an answer, want none", s)
		}
		if at := w.LastContact(); !at.IsZero() {
			t.Errorf("LastContact = %v without an answer, want zero", at)
		}
		select {
		case <-w.Ready():
			t.Error("ready without an answer")
		default:
		}
		c.do(func() { c.err = nil })
		<-w.Ready()
		wantMembers(t, w, "a")
		synctest.Wait()
		wantState(t, w, Live)
	})
}

func TestColdTakesAStaleAnswerUnlessItIsEmpty(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newFakeConsul()
		c.do(func() { c.err = ErrNoServer })
		w := watch(t, c)
		sleep(t.Context(), time.Minute)
		wantState(t, w, Cold)
		c.join("a")
		sleep(t.Context(), 2*backoffCap)
		wantMembers(t, w, "a")
		c.join("b") // known to that server, but the time for stale answers is over
		sleep(t.Context(), time.Minute)
		wantMembers(t, w, "a")
		wantState(t, w, Blind)
	})
}

func TestRetriesBackOffWithinBounds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newFakeConsul("a")
		c.do(func() { c.err = errDown })
		o := quiet()
		o.Random = func() float64 { return 0.999 }
		run(t, NewWatcher(c.query, c.probe, o).Run)
		sleep(t.Context(), time.Second)
		if n := len(c.asked()); n < 4 || n > 5 { // at 0, 0.1, 0.3, 0.7
			t.Errorf("%d questions in the first second, want 4", n)
		}
		sleep(t.Context(), time.Minute)
		c.asked()
		sleep(t.Context(), 50*time.Second)
		if n := len(c.asked()); n < 10 || n > 11 {
			t.Errorf("%d questions in 50 s of a long outage, want 10", n)
		}
	})
}

func TestAnOutageAfterALongOneIsRetriedSoon(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newFakeConsul("a")
		c.do(func() { c.err = errDown })
		w := watch(t, c)
		sleep(t.Context(), time.Hour)
		c.do(func() { c.err = nil })
		<-w.Ready()
		sleep(t.Context(), time.Second)
		c.do(func() { c.err = errDown; c.index++ })
		synctest.Wait()
		wantState(t, w, Blind)
		c.do(func() { c.err = nil })
		sleep(t.Context(), backoffBase)
		wantState(t, w, Live)
	})
}

func TestACallThatHangsIsGivenUp(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newFakeConsul("a")
		w := watch(t, c)
		<-w.Ready()
		c.do(func() { c.hanging = true })
		start := time.Now()
		for w.State() != Blind {
			sleep(t.Context(), time.Second)
		}
		if took, most := time.Since(start), waitTime+waitTime/16+callSlack+time.Second; took > most {
			t.Errorf("blind after %v, want at most %v", took, most)
		}
		wantMembers(t, w, "a")
		c.do(func() { c.hanging = false })
		c.join("b")
		sleep(t.Context(), 20*time.Second)
		wantMembers(t, w, "a", "b")
		wantState(t, w, Live)
	})
}

func TestReadsAfreshEveryMinute(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newFakeConsul("a")
		w := watch(t, c)
		<-w.Ready()
		c.do(func() { // a change that wakes nobody, as after a restored snapshot
			e := c.entries["a"]
			e.Addr = "elsewhere:5000"
			c.entries["a"] = e
		})
		sleep(t.Context(), resyncEvery+resyncEvery/5+time.Second)
		if got := w.Snapshot().Members[0].Addr; got != "elsewhere:5000" {
			t.Errorf("address = %s a resync later", got)
		}
		requests := c.asked()
		if first := requests[0]; first.Index != 0 || first.Wait != 0 {
			t.Errorf("first request = %+v, want index 0 without a wait", first)
		}
		for _, r := range requests[1:] {
			if r.Index > 0 && (r.Wait < time.Second || r.Wait > waitTime) {
				t.Errorf("request %+v waits too short or too long", r)
			}
		}
	})
}

func TestFlappingIsAskedForAtMostTenTimesASecond(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newFakeConsul("a", "b", "c")
		w := watch(t, c)
		<-w.Ready()
		synctest.Wait()
		c.asked()
		const seconds = 10
		for i := range 100 * seconds {
			c.check(i%2 == 1, "c")
			sleep(t.Context(), 10*time.Millisecond)
		}
		if n := len(c.asked()); n > queryRate*seconds+queryBurst {
			t.Errorf("%d questions in %d s of flapping at 100 Hz, want at most %d a second", n, seconds, queryRate)
		}
		sleep(t.Context(), time.Second)
		wantMembers(t, w, "a", "b", "c")
	})
}

func TestAStormOfEmptyAnswersIsBoundedAndBelievedByNobody(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newFakeConsul("a", "b", "c")
		w := watch(t, c)
		<-w.Ready()
		synctest.Wait()
		c.asked()
		c.do(func() { c.lying = true })
		sleep(t.Context(), 10*time.Second)
		wantMembers(t, w, "a", "b", "c")
		wantState(t, w, Blind)
		if n := len(c.asked()); n > 10*queryRate {
			t.Errorf("%d questions in 10 s, want at most %d a second", n, queryRate)
		}
	})
}

func TestRunReturnsPromptly(t *testing.T) {
	for name, prepare := range map[string]func(*fakeConsul){
		"while it waits for Consul":     func(*fakeConsul) {},
		"while Consul hangs":            func(c *fakeConsul) { c.hanging = true },
		"while it backs off":            func(c *fakeConsul) { c.err = errDown },
		"while it confirms a shrinking": func(c *fakeConsul) { c.index++; clear(c.entries) },
		"while it probes": func(c *fakeConsul) {
			c.index++
			delete(c.entries, "a")
			delete(c.entries, "b")
			c.latency = time.Hour
		},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				c := newFakeConsul("a", "b", "c")
				w := NewWatcher(c.query, c.probe, quiet())
				ctx, cancel := context.WithCancel(t.Context())
				done := make(chan error, 1)
				go func() { done <- w.Run(ctx) }()
				<-w.Ready()
				c.do(func() { prepare(c) })
				sleep(t.Context(), 150*time.Millisecond)
				cancel()
				start := time.Now()
				if err := <-done; err != nil {
					t.Errorf("Run = %v, want nil", err)
				}
				if took := time.Since(start); took > 50*time.Millisecond {
					t.Errorf("Run returned %v after it was cancelled", took)
				}
				wantMembers(t, w, "a", "b", "c")
			})
		})
	}
}

func TestASlowSubscriberHoldsUpNobody(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newFakeConsul("a")
		w := NewWatcher(c.query, c.probe, quiet())
		slow, quick := w.Subscribe(), w.Subscribe()
		run(t, w.Run)
		<-quick
		for _, id := range []string{"b", "c", "d"} {
			c.join(id)
			<-quick
		}
		<-slow
		wantMembers(t, w, "a", "b", "c", "d")
		select {
		case <-slow:
			t.Error("several changes made several wake-ups")
		default:
		}
	})
}

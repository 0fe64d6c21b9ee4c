package coordinator_test

import (
	"context"
	"errors"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"ringkv/gateway/coordinator"
	"ringkv/hashring"
	"ringkv/hashring/placement"
	"ringkv/node/record"
	"ringkv/node/wire"
)

// inCluster runs a test over a cluster of three nodes in fake time.
func inCluster(t *testing.T, test func(t *testing.T, c *cluster)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) { test(t, newCluster(t, 1, 3, "a", "b", "c")) })
}

func mustPut(t *testing.T, co *coordinator.Coordinator, key, value string) record.Version {
	t.Helper()
	v, err := co.Put(t.Context(), key, []byte(value), "text/plain")
	if err != nil {
		t.Fatalf("Put(%q): %v", key, err)
	}
	return v
}

func wantValue(t *testing.T, co *coordinator.Coordinator, key, want string) {
	t.Helper()
	rec, err := co.Get(t.Context(), key, coordinator.ReadOptions{})
	if err != nil || !rec.Exists() || string(rec.Value) != want {
		t.Fatalf("Get(%q) = %q, %v, want %q", key, rec.Value, err, want)
	}
}

func wantAbsent(t *testing.T, co *coordinator.Coordinator, key string) {
	t.Helper()
	rec, err := co.Get(t.Context(), key, coordinator.ReadOptions{})
	if err != nil || rec.Exists() {
		t.Fatalf("Get(%q) = %q, %v, want it absent", key, rec.Value, err)
	}
}

// wantError checks what a failed request says about itself.
func wantError(t *testing.T, err, sentinel error, none bool, words ...string) {
	t.Helper()
	var e *coordinator.Error
	if !errors.As(err, &e) || !errors.Is(err, sentinel) || e.None != none {
		t.Fatalf("error %+v, want %v with none=%v", err, sentinel, none)
	}
	for _, w := range words {
		if !strings.Contains(e.Detail, w) {
			t.Errorf("detail %q lacks %q", e.Detail, w)
		}
	}
}

func (c *cluster) holders(key string) (ids []string) {
	for id, n := range c.nodes {
		if _, ok := n.store.Head(key); ok {
			ids = append(ids, id)
		}
	}
	return ids
}

func TestPutGetDelete(t *testing.T) {
	inCluster(t, func(t *testing.T, c *cluster) {
		one, two := c.coordinator(1, 0, coordinator.Options{}), c.coordinator(2, -time.Minute, coordinator.Options{})
		wantAbsent(t, one, "k")
		first := mustPut(t, one, "k", "v1")
		wantValue(t, two, "k", "v1")
		second := mustPut(t, two, "k", "v2") // its clock is a minute behind
		if !second.After(first) {
			t.Fatalf("second write has version %v, not after %v", second, first)
		}
		wantValue(t, one, "k", "v2")
		if v, deleted, err := one.Delete(t.Context(), "k"); err != nil || !deleted || !v.After(second) {
			t.Fatalf("Delete = %v, %v, %v, want a later version and true", v, deleted, err)
		}
		wantAbsent(t, two, "k")
		if _, deleted, err := two.Delete(t.Context(), "k"); err != nil || deleted {
			t.Fatalf("second Delete = %v, %v, want false", deleted, err)
		}
	})
}

func TestDeleteOfAnAbsentKeyWritesNothing(t *testing.T) {
	inCluster(t, func(t *testing.T, c *cluster) {
		co := c.coordinator(1, 0, coordinator.Options{})
		if _, deleted, err := co.Delete(t.Context(), "k"); err != nil || deleted {
			t.Fatalf("Delete = %v, %v", deleted, err)
		}
		c.messages.Wait()
		if ids := c.holders("k"); len(ids) > 0 {
			t.Errorf("%v hold a tombstone of a key that never was", ids)
		}
	})
}

func TestEmptyValueExists(t *testing.T) {
	inCluster(t, func(t *testing.T, c *cluster) {
		co := c.coordinator(1, 0, coordinator.Options{})
		mustPut(t, co, "k", "")
		wantValue(t, co, "k", "")
	})
}

func TestOneOwnerInTroubleCostsNothing(t *testing.T) {
	for name, trouble := range map[string]func(*testNode){
		"down": func(n *testNode) { n.down = true },
		"slow": func(n *testNode) { n.delay = time.Second },
		"mute": func(n *testNode) { n.mute = true },
		"deaf": func(n *testNode) { n.deaf = true },
	} {
		t.Run(name, func(t *testing.T) {
			inCluster(t, func(t *testing.T, c *cluster) {
				co := c.coordinator(1, 0, coordinator.Options{})
				for _, id := range []string{"a", "b", "c"} {
					c.set(id, trouble)
					start := time.Now()
					mustPut(t, co, "k", "of "+id)
					wantValue(t, co, "k", "of "+id)
					// two hedges of 15 ms and a few round trips of 0.8 ms, in fake time
					if took := time.Since(start); took > 60*time.Millisecond {
						t.Errorf("with %s %s, a put and a get took %v", id, name, took)
					}
					c.set(id, func(n *testNode) { n.down, n.mute, n.deaf, n.delay = false, false, false, 0 })
				}
			})
		})
	}
}

func TestOwnersThatDoNotPassAreNotAsked(t *testing.T) {
	inCluster(t, func(t *testing.T, c *cluster) {
		co := c.coordinator(1, 0, coordinator.Options{})
		c.passing("a", "c")
		mustPut(t, co, "k", "v")
		wantValue(t, co, "k", "v")
		c.messages.Wait()
		if got := c.nodes["b"].got; len(got) > 0 {
			t.Errorf("b does not pass and was asked %v", got)
		}
		c.passing("c")
		_, err := co.Put(t.Context(), "k", []byte("w"), "")
		wantError(t, err, coordinator.ErrQuorumUnavailable, true, "a is not passing", "b is not passing", "1 of 2 needed")
		_, err = co.Get(t.Context(), "k", coordinator.ReadOptions{})
		wantError(t, err, coordinator.ErrQuorumUnavailable, true, "a is not passing")
		if rec, err := co.Get(t.Context(), "k", coordinator.ReadOptions{Stale: true}); err != nil || string(rec.Value) != "v" {
			t.Errorf("stale Get = %q, %v, want the answer of one owner", rec.Value, err)
		}
	})
}

func TestSilentOwnersAreAskedLast(t *testing.T) {
	inCluster(t, func(t *testing.T, c *cluster) {
		co := c.coordinator(1, 0, coordinator.Options{})
		mustPut(t, co, "k", "v")
		c.messages.Wait()
		c.set("a", func(n *testNode) { n.silent, n.delay = true, time.Second; clear(n.got) })
		wantValue(t, co, "k", "v")
		if n := c.nodes["a"].got[wire.OpRead]; n > 0 {
			t.Errorf("a is silent and was asked %d times, though b and c suffice", n)
		}
	})
}

// valueAsked notes which nodes are asked for a value.
type valueAsked struct {
	*cluster
	of []string
}

// Send implements coordinator.Peers.
func (v *valueAsked) Send(id, addr string, req *wire.Request, deadline time.Time, to chan<- wire.Reply) {
	if req.Op == wire.OpRead && !req.HeadOnly {
		v.of = append(v.of, id)
	}
	v.cluster.Send(id, addr, req, deadline, to)
}

// A node asks itself for the value, and others for what version they hold, whatever its place among the owners.
func TestTheValueComesFromHere(t *testing.T) {
	inCluster(t, func(t *testing.T, c *cluster) {
		mustPut(t, c.coordinator(1, 0, coordinator.Options{}), "k", "v")
		c.messages.Wait()
		for _, here := range []string{"a", "b", "c"} {
			peers := &valueAsked{cluster: c}
			co, err := coordinator.New(c.view.Load, peers, record.NewClock(time.Now, 2, 5*time.Second), coordinator.Options{Here: here})
			if err != nil {
				t.Fatal(err)
			}
			wantValue(t, co, "k", "v")
			if !slices.Equal(peers.of, []string{here}) {
				t.Errorf("%s asks %v for the value, want itself alone", here, peers.of)
			}
		}
	})
}

// fetching answers as a node does that enters a slot: it has fetched the key first, or tried to.
type fetching struct {
	wire.Handler
	inVain bool
}

func (f fetching) Handle(req *wire.Request, respond func(wire.Response)) {
	f.Handler.Handle(req, func(resp wire.Response) {
		if f.inVain {
			resp = wire.Response{Status: wire.NotReady, Detail: "fetches too much already"}
		}
		resp.Fetched = true
		respond(resp)
	})
}

// A node that had to fetch a key is asked last for a second, and then once, to see.
func TestNodesThatFetchAreAskedLast(t *testing.T) {
	t.Run("fetched", func(t *testing.T) { wantAskedLast(t, false) })
	t.Run("in vain", func(t *testing.T) { wantAskedLast(t, true) })
}

func wantAskedLast(t *testing.T, inVain bool) {
	t.Helper()
	inCluster(t, func(t *testing.T, c *cluster) {
		co := c.coordinator(1, 0, coordinator.Options{})
		mustPut(t, co, "k", "v")
		c.messages.Wait()
		first := c.view.Load().Owners(hashring.SlotOf("k"))[0].ID
		c.set(first, func(n *testNode) { n.replica = fetching{n.replica, inVain}; clear(n.got) })
		for second := 1; second <= 2; second++ {
			for range 10 {
				wantValue(t, co, "k", "v")
			}
			c.messages.Wait()
			if n := c.nodes[first].got[wire.OpRead]; n != second {
				t.Errorf("%s was asked %d times in %d seconds, want once a second", first, n, second)
			}
			time.Sleep(time.Second) // fake time
		}
	})
}

func TestWriteBelowQuorumIsNotAcknowledged(t *testing.T) {
	inCluster(t, func(t *testing.T, c *cluster) {
		co := c.coordinator(1, 0, coordinator.Options{})
		// the query finds two owners, the write only one
		c.set("a", func(n *testNode) { n.down = true })
		c.nodes["b"].refuseWrites(wire.Full)
		_, err := co.Put(t.Context(), "k", []byte("v"), "")
		wantError(t, err, coordinator.ErrQuorumUnavailable, false, "1 of 2", "a refused the connection", "b answered full")

		c.nodes["c"].refuseWrites(wire.Full)
		start := time.Now()
		_, err = co.Put(t.Context(), "other", []byte("v"), "")
		wantError(t, err, coordinator.ErrQuorumUnavailable, true, "0 of 2")
		if took := time.Since(start); took > 100*time.Millisecond {
			t.Errorf("it took %v to say that two disks are full, want no wait for them", took)
		}
		c.set("a", func(n *testNode) { n.down = false })
		wantAbsent(t, co, "other")
	})
}

// While one owner is slow, one that is full is asked again and again. It is still one: the slow one, which refuses at first, may yet take the write.
func TestAFullOwnerCountsOnce(t *testing.T) {
	inCluster(t, func(t *testing.T, c *cluster) {
		co := c.coordinator(1, 0, coordinator.Options{})
		c.nodes["b"].refuseWrites(wire.Full)
		c.nodes["c"].refuseWrites(wire.NotReady)
		c.set("c", func(n *testNode) { n.delay = 40 * time.Millisecond })
		time.AfterFunc(60*time.Millisecond, func() { c.nodes["c"].refuseWrites(0) })
		mustPut(t, co, "k", "v")
	})
}

func TestLostAnswersLeaveTheOutcomeUnknown(t *testing.T) {
	inCluster(t, func(t *testing.T, c *cluster) {
		co := c.coordinator(1, 0, coordinator.Options{})
		for _, id := range []string{"a", "b"} {
			c.nodes[id].loseWriteAnswers(true)
		}
		start := time.Now()
		_, err := co.Put(t.Context(), "k", []byte("v"), "")
		wantError(t, err, coordinator.ErrOutcomeUnknown, false)
		if took := time.Since(start); took > 2100*time.Millisecond {
			t.Errorf("it took %v to say so, want 2 s", took)
		}
		for _, id := range []string{"a", "b"} {
			c.nodes[id].loseWriteAnswers(false)
		}
		wantValue(t, co, "k", "v") // it had happened
	})
}

func TestFailedDiskLeavesTheOutcomeUnknown(t *testing.T) {
	inCluster(t, func(t *testing.T, c *cluster) {
		co := c.coordinator(1, 0, coordinator.Options{})
		for _, id := range []string{"a", "b"} {
			c.nodes[id].refuseWrites(wire.Failed)
		}
		_, err := co.Put(t.Context(), "k", []byte("v"), "")
		wantError(t, err, coordinator.ErrOutcomeUnknown, false)
	})
}

func TestOverloadIsAnsweredAtOnce(t *testing.T) {
	inCluster(t, func(t *testing.T, c *cluster) {
		co := c.coordinator(1, 0, coordinator.Options{})
		for _, id := range []string{"a", "b", "c"} {
			c.nodes[id].refuseWrites(wire.Overloaded)
		}
		start := time.Now()
		_, err := co.Put(t.Context(), "k", []byte("v"), "")
		wantError(t, err, coordinator.ErrOverloaded, true)
		if took := time.Since(start); took > 50*time.Millisecond {
			t.Errorf("it took %v, want less than 50 ms", took)
		}
	})
}

// An owner that is overloaded isn't asked again, and the others are, whoever of them refuses first.
func TestOverloadOfOneIsNotThatOfOthers(t *testing.T) {
	for name, delay := range map[string]time.Duration{"before it": 0, "after it": 5 * time.Millisecond} {
		t.Run(name, func(t *testing.T) {
			inCluster(t, func(t *testing.T, c *cluster) {
				co := c.coordinator(1, 0, coordinator.Options{})
				c.set("a", func(n *testNode) { n.delay = 100 * time.Millisecond })
				c.set("b", func(n *testNode) { n.delay = 2 * time.Millisecond })
				c.nodes["b"].refuseWrites(wire.Overloaded)
				c.set("c", func(n *testNode) { n.delay = delay })
				c.nodes["c"].refuseWrites(wire.NotReady)
				time.AfterFunc(20*time.Millisecond, func() { c.nodes["c"].refuseWrites(0) })
				mustPut(t, co, "k", "v")
				c.messages.Wait()
				if n := c.nodes["b"].got[wire.OpWrite]; n != 1 {
					t.Errorf("b is overloaded and was asked %d times, want once", n)
				}
			})
		})
	}
}

func TestTransientRefusalIsTriedAgain(t *testing.T) {
	inCluster(t, func(t *testing.T, c *cluster) {
		co := c.coordinator(1, 0, coordinator.Options{})
		for _, id := range []string{"a", "b", "c"} {
			c.kill(id)
		}
		time.AfterFunc(300*time.Millisecond, func() {
			for _, id := range []string{"a", "b", "c"} {
				c.start(id)
			}
		})
		mustPut(t, co, "k", "v")
		wantValue(t, co, "k", "v")
	})
}

// One owner hangs, and another has only just come back: it refuses at first, and must be asked again, since the one that
// hangs never says that it will not answer.
func TestRefusalIsTriedAgainWhileAnotherOwnerHangs(t *testing.T) {
	const back = 150 * time.Millisecond
	for name, operate := range map[string]func(t *testing.T, co *coordinator.Coordinator){
		"put":    func(t *testing.T, co *coordinator.Coordinator) { mustPut(t, co, "k", "new") },
		"get":    func(t *testing.T, co *coordinator.Coordinator) { wantValue(t, co, "k", "old") },
		"delete": func(t *testing.T, co *coordinator.Coordinator) { co.Delete(t.Context(), "k") },
	} {
		t.Run(name, func(t *testing.T) {
			inCluster(t, func(t *testing.T, c *cluster) {
				co := c.coordinator(1, 0, coordinator.Options{})
				mustPut(t, co, "k", "old")
				c.messages.Wait()
				c.set("a", func(n *testNode) { n.deaf = true })
				c.set("b", func(n *testNode) { n.down = true })
				time.AfterFunc(back, func() { c.set("b", func(n *testNode) { n.down = false }) })
				began := time.Now()
				operate(t, co)
				if took := time.Since(began); took < back || took > 2*back {
					t.Errorf("it took %v, and a quorum could answer after %v", took, back)
				}
			})
		})
	}
}

// A read that finds the newest record on too few owners brings it to others before it returns it.
func TestReadRepairsBeforeItAnswers(t *testing.T) {
	inCluster(t, func(t *testing.T, c *cluster) {
		co := c.coordinator(1, 0, coordinator.Options{})
		mustPut(t, co, "k", "old")
		c.messages.Wait()
		slot := c.view.Load().Slot("k")
		first := c.view.Load().Owners(slot)[0].ID
		for id, n := range c.nodes {
			if id != first {
				n.refuseWrites(wire.Full)
			}
		}
		if _, err := co.Put(t.Context(), "k", []byte("new"), ""); err == nil {
			t.Fatal("a write that one owner took was acknowledged")
		}
		for _, n := range c.nodes {
			n.refuseWrites(0)
		}
		wantValue(t, co, "k", "new")
		want, _ := c.nodes[first].store.Head("k")
		holding := 0
		for _, n := range c.nodes {
			if h, _ := n.store.Head("k"); h.Version == want.Version {
				holding++
			}
		}
		if holding < 2 {
			t.Errorf("the value was returned while %d owner held it", holding)
		}
		c.set(first, func(n *testNode) { n.down = true })
		wantValue(t, co, "k", "new")
	})
}

// The newest value may stay behind when it was asked of an owner that has an older one.
func TestNewestValueIsFetchedWhenOnlyItsVersionCame(t *testing.T) {
	inCluster(t, func(t *testing.T, c *cluster) {
		co := c.coordinator(1, 0, coordinator.Options{})
		mustPut(t, co, "k", "old")
		c.messages.Wait()
		owners := c.view.Load().Owners(c.view.Load().Slot("k"))
		c.set(owners[0].ID, func(n *testNode) { n.down = true })
		mustPut(t, co, "k", "new")
		c.messages.Wait()
		c.set(owners[0].ID, func(n *testNode) { n.down = false })
		wantValue(t, co, "k", "new")
	})
}

func TestFollowsAnOwnerIntoALaterConfig(t *testing.T) {
	inCluster(t, func(t *testing.T, c *cluster) {
		co := c.coordinator(1, 0, coordinator.Options{})
		mustPut(t, co, "k", "v")
		c.messages.Wait()
		config := c.view.Load().Config(c.view.Load().Slot("k"))
		later := &placement.Config{Generation: config.Generation + 1, Owners: config.Owners}
		for _, n := range c.nodes {
			n.promise(later)
		}
		wantValue(t, co, "k", "v")
		mustPut(t, co, "k", "w")
		wantValue(t, co, "k", "w")
	})
}

// A write that one owner took before the key moved, and one of the new owners after that, is held by no quorum of either.
func TestCopiesInTwoConfigsAreNoQuorum(t *testing.T) {
	inCluster(t, func(t *testing.T, c *cluster) {
		later := &placement.Config{Generation: 1}
		for _, n := range c.placed(c.join("d", "e", "f")) {
			later.Owners = append(later.Owners, placement.Identity(n.ID, n.Disk))
		}
		c.passing(c.ids...)
		for _, id := range []string{"b", "c"} { // they answer after a
			n := c.nodes[id]
			n.before(wire.OpWrite, func() {
				n.under().Handle(&wire.Request{Op: wire.OpPull, Config: later, Key: "k"}, func(wire.Response) {})
			})
			c.set(id, func(n *testNode) { n.delay = 5 * time.Millisecond })
		}
		for _, id := range []string{"e", "f"} {
			c.set(id, func(n *testNode) { n.deaf = true })
		}
		co := c.coordinator(1, 0, coordinator.Options{})
		_, err := co.Put(t.Context(), "k", []byte("v"), "")
		wantError(t, err, coordinator.ErrOutcomeUnknown, false)
	})
}

func TestClientThatGoesAwayIsNotWaitedForLong(t *testing.T) {
	inCluster(t, func(t *testing.T, c *cluster) {
		co := c.coordinator(1, 0, coordinator.Options{})
		for _, n := range c.nodes {
			n.mu.Lock()
			n.deaf = true
			n.mu.Unlock()
		}
		for name, gone := range map[string]func() (context.Context, context.CancelFunc){
			"at a deadline": func() (context.Context, context.CancelFunc) {
				return context.WithTimeout(t.Context(), 100*time.Millisecond)
			},
			"at any time": func() (context.Context, context.CancelFunc) {
				ctx, cancel := context.WithCancel(t.Context())
				time.AfterFunc(100*time.Millisecond, cancel)
				return ctx, cancel
			},
		} {
			ctx, cancel := gone()
			defer cancel()
			start := time.Now()
			if _, err := co.Get(ctx, "k", coordinator.ReadOptions{}); err == nil {
				t.Fatalf("gone %s: Get without any answer returned one", name)
			}
			if took := time.Since(start); took > 210*time.Millisecond {
				t.Errorf("gone %s: it took %v, 100 ms of them before the client had gone", name, took)
			}
		}
	})
}

func TestRunawayClockWritesNothingAndDragsNobody(t *testing.T) {
	inCluster(t, func(t *testing.T, c *cluster) {
		fast := c.coordinator(1, time.Hour, coordinator.Options{})
		_, err := fast.Put(t.Context(), "k", []byte("v"), "")
		wantError(t, err, coordinator.ErrQuorumUnavailable, true, "clock")

		// one node's clock ran ahead as well, and took it
		c.nodes["a"].clock.skew.Store(int64(time.Hour))
		_, err = fast.Put(t.Context(), "k", []byte("far"), "")
		wantError(t, err, coordinator.ErrQuorumUnavailable, false)
		co := c.coordinator(2, 0, coordinator.Options{})
		wantValue(t, co, "k", "far") // it had come to one owner, and so may come to all
		mustPut(t, co, "k", "near")  // or the key could not be written for an hour
		wantValue(t, co, "k", "near")
		if v := mustPut(t, co, "other", "x"); v.Time().After(time.Now().Add(5 * time.Second)) {
			t.Errorf("another key got version %v, dragged along", v.Time())
		}
	})
}

// A version from the future lies at one of the two owners that are there. The other one takes a ballot above it, as it takes a write.
func TestCompareAndSetFollowsAVersionFromTheFuture(t *testing.T) {
	inCluster(t, func(t *testing.T, c *cluster) {
		c.nodes["a"].clock.skew.Store(int64(time.Hour))
		if _, err := c.coordinator(1, time.Hour, coordinator.Options{}).Put(t.Context(), "k", []byte("far"), ""); err == nil {
			t.Fatal("a write that one owner took was acknowledged")
		}
		c.nodes["a"].clock.skew.Store(0)
		c.set("c", func(n *testNode) { n.down = true })
		co := c.coordinator(2, 0, coordinator.Options{})
		if _, err := co.PutIf(t.Context(), "k", []byte("next"), "", func(present record.Record) bool { return string(present.Value) == "far" }); err != nil {
			t.Fatalf("PutIf = %v", err)
		}
		wantValue(t, co, "k", "next")
	})
}

func TestNoRing(t *testing.T) {
	inCluster(t, func(t *testing.T, c *cluster) {
		co := c.coordinator(1, 0, coordinator.Options{})
		c.view.Store(nil)
		_, err := co.Get(t.Context(), "k", coordinator.ReadOptions{})
		wantError(t, err, coordinator.ErrNoRing, true)
		if !strings.Contains(err.Error(), "/health-check") { // a -replicas that differs, say, keeps the ring away for good
			t.Errorf("%v, want to be sent to /health-check", err)
		}
		_, err = co.Put(t.Context(), "k", nil, "")
		wantError(t, err, coordinator.ErrNoRing, true)
	})
}

func TestSmallClusters(t *testing.T) {
	for _, ids := range [][]string{{"a"}, {"a", "b"}} {
		synctest.Test(t, func(t *testing.T) {
			c := newCluster(t, 1, 3, ids...)
			co := c.coordinator(1, 0, coordinator.Options{})
			mustPut(t, co, "k", "v")
			wantValue(t, co, "k", "v")
			c.messages.Wait()
			if n := len(c.holders("k")); n != len(ids) {
				t.Errorf("%d nodes: %d hold the key", len(ids), n)
			}
		})
	}
}

func TestCheckQuorums(t *testing.T) {
	for _, tt := range []struct {
		n, w, r int
		want    string // words of the error, empty for none
	}{
		{3, 2, 2, ""}, {3, 3, 1, ""}, {1, 1, 1, ""}, {2, 2, 1, ""}, {5, 3, 3, ""}, {4, 3, 2, ""},
		{2, 3, 1, "-write-quorum 3 exceeds -replicas 2"},
		{2, 2, 3, "-read-quorum 3 exceeds -replicas 2"},
		{3, 1, 3, "-write-quorum 1 is no majority of -replicas 3"},
		{3, 2, 1, "together must exceed -replicas 3"},
		{0, 0, 0, "-replicas 0"}, {3, 0, 2, "at least 1"},
	} {
		err := coordinator.CheckQuorums(tt.n, tt.w, tt.r)
		if (err == nil) != (tt.want == "") || err != nil && !strings.Contains(err.Error(), tt.want) {
			t.Errorf("CheckQuorums(%d, %d, %d) = %v, want %q", tt.n, tt.w, tt.r, err, tt.want)
		}
	}
}

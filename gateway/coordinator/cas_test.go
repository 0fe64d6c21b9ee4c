package coordinator_test

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"strconv"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"ringkv/gateway/coordinator"
	"ringkv/hashring/placement"
	"ringkv/node/record"
	"ringkv/node/wire"
)

func is(v record.Version) coordinator.Condition {
	return func(present record.Record) bool { return present.Exists() && present.Known() == v }
}

func absent(present record.Record) bool { return !present.Exists() }

func wantMismatch(t *testing.T, err error, present record.Version) {
	t.Helper()
	wantError(t, err, coordinator.ErrPreconditionFailed, true)
	var e *coordinator.Error
	if errors.As(err, &e); e.Present != present {
		t.Errorf("the version that is there is said to be %v, want %v", e.Present, present)
	}
	if strings.Contains(e.Detail, "another version") { // it may have been If-None-Match: *
		t.Errorf("detail %q, want nothing of another version", e.Detail)
	}
}

func mustPutIf(t *testing.T, co *coordinator.Coordinator, key, value string, holds coordinator.Condition) record.Version {
	t.Helper()
	v, err := co.PutIf(t.Context(), key, []byte(value), "text/plain", holds)
	if err != nil {
		t.Fatalf("PutIf(%q): %v", key, err)
	}
	return v
}

func TestCompareAndSet(t *testing.T) {
	inCluster(t, func(t *testing.T, c *cluster) {
		one, two := c.coordinator(1, 0, coordinator.Options{}), c.coordinator(2, -time.Minute, coordinator.Options{})
		_, err := one.PutIf(t.Context(), "k", []byte("v0"), "", is(record.Version{HLC: 1}))
		wantMismatch(t, err, record.Version{})
		wantAbsent(t, two, "k")
		first := mustPutIf(t, one, "k", "v1", absent)
		wantValue(t, two, "k", "v1")
		_, err = two.PutIf(t.Context(), "k", []byte("v2"), "", absent)
		wantMismatch(t, err, first)
		second := mustPutIf(t, two, "k", "v2", is(first)) // its clock is a minute behind
		if !second.After(first) {
			t.Errorf("version %v is not after %v", second, first)
		}
		wantValue(t, one, "k", "v2")
		third := mustPut(t, one, "k", "v3")
		_, err = two.PutIf(t.Context(), "k", []byte("v4"), "", is(second))
		wantMismatch(t, err, third)
		wantValue(t, one, "k", "v3")

		_, _, err = two.DeleteIf(t.Context(), "k", is(second))
		wantMismatch(t, err, third)
		if _, deleted, err := two.DeleteIf(t.Context(), "k", is(third)); err != nil || !deleted {
			t.Fatalf("DeleteIf = %v, %v, want it deleted", deleted, err)
		}
		wantAbsent(t, one, "k")
		if _, deleted, err := two.DeleteIf(t.Context(), "k", absent); err != nil || deleted {
			t.Fatalf("DeleteIf of an absent key = %v, %v, want false", deleted, err)
		}
		mustPutIf(t, one, "k", "v5", absent)
		wantValue(t, two, "k", "v5")
	})
}

// However often a value is stored again, clients know it by the version that it was first acknowledged under.
func TestVersionsStayWhenAMismatchStoresThemAgain(t *testing.T) {
	inCluster(t, func(t *testing.T, c *cluster) {
		co := c.coordinator(1, 0, coordinator.Options{})
		v := mustPut(t, co, "k", "v1")
		for range 3 {
			_, err := co.PutIf(t.Context(), "k", nil, "", absent)
			wantMismatch(t, err, v)
			rec, err := co.Get(t.Context(), "k", coordinator.ReadOptions{})
			if err != nil || rec.Known() != v || rec.Version == v || rec.Type != "text/plain" || string(rec.Value) != "v1" {
				t.Fatalf("Get = %+v, %v, want v1 known as %v under a later version", rec, err, v)
			}
		}
		mustPutIf(t, co, "k", "v2", is(v))
	})
}

// A mismatch rests on what it found, even if only one owner held that: the next read must find it too.
func TestMismatchIsOnlyReportedOnceWhatItFoundCanNotBeLost(t *testing.T) {
	inCluster(t, func(t *testing.T, c *cluster) {
		co := c.coordinator(1, 0, coordinator.Options{Timeout: 500 * time.Millisecond})
		for _, id := range []string{"b", "c"} {
			c.nodes[id].refuseWrites(wire.Full)
		}
		if _, err := co.Put(t.Context(), "k", []byte("half"), ""); err == nil {
			t.Fatal("a write that one owner took was acknowledged")
		}
		c.nodes["b"].refuseWrites(0)
		c.set("c", func(n *testNode) { n.down = true }) // so that a, which holds it, is asked
		_, err := co.PutIf(t.Context(), "k", []byte("v"), "", absent)
		if !errors.Is(err, coordinator.ErrPreconditionFailed) {
			t.Fatalf("PutIf = %v, want a mismatch", err)
		}
		c.nodes["c"].refuseWrites(0)
		c.set("c", func(n *testNode) { n.down = false })
		c.set("a", func(n *testNode) { n.down = true })
		wantValue(t, co, "k", "half")
	})
}

func TestCompareAndSetBelowQuorum(t *testing.T) {
	inCluster(t, func(t *testing.T, c *cluster) {
		co := c.coordinator(1, 0, coordinator.Options{Timeout: 500 * time.Millisecond})
		for _, id := range []string{"a", "b"} {
			c.set(id, func(n *testNode) { n.down = true })
		}
		_, err := co.PutIf(t.Context(), "k", nil, "", absent)
		wantError(t, err, coordinator.ErrQuorumUnavailable, true, "a refused the connection", "1 of 2")
		c.passing("c")
		_, err = co.PutIf(t.Context(), "k", nil, "", absent)
		wantError(t, err, coordinator.ErrQuorumUnavailable, true, "a is not passing")
		c.passing("a", "b", "c")
		for _, id := range []string{"a", "b"} {
			c.set(id, func(n *testNode) { n.down = false })
			c.nodes[id].loseAccepts(true)
		}
		_, err = co.PutIf(t.Context(), "k", []byte("v"), "", absent)
		wantError(t, err, coordinator.ErrOutcomeUnknown, false)
		for _, id := range []string{"a", "b"} {
			c.nodes[id].loseAccepts(false)
		}
		wantValue(t, co, "k", "v") // it had happened
	})
}

// A compare-and-set that ended half-way leaves ballots behind, which stand in the way of nobody for long.
func TestBallotsLeftBehind(t *testing.T) {
	inCluster(t, func(t *testing.T, c *cluster) {
		co, behind := c.coordinator(1, 0, coordinator.Options{}), c.coordinator(2, -2*time.Second, coordinator.Options{})
		mustPut(t, behind, "k", "v1")
		c.messages.Wait()
		config := c.view.Load().Config(c.view.Load().Slot("k"))
		ballot := record.Version{HLC: uint64(time.Now().Add(time.Second).UnixMilli()) << 16, Writer: 9}
		c.ask(t, &wire.Request{Op: wire.OpPrepare, Config: config, Key: "k", Ballot: ballot})
		wantValue(t, co, "k", "v1")
		if n := c.count(wire.OpAccept); n != 0 {
			t.Errorf("a read of what was accepted before the ballot took %d accepts, and so has beaten the one who prepared it", n)
		}
		mustPut(t, behind, "k", "v2")
		wantValue(t, co, "k", "v2")
		c.messages.Wait()
		ballot.HLC += 1 << 26
		c.ask(t, &wire.Request{Op: wire.OpPrepare, Config: config, Key: "k", Ballot: ballot})
		for _, id := range c.ids { // which forgets what was accepted before the ballot
			c.kill(id)
			c.start(id)
		}
		wantValue(t, co, "k", "v2")
		if n := c.count(wire.OpAccept); n == 0 {
			t.Error("a read returned what lay under a ballot, and nobody was known to have accepted it")
		}
		rec, err := co.Get(t.Context(), "k", coordinator.ReadOptions{})
		if err != nil {
			t.Fatal(err)
		}
		mustPutIf(t, behind, "k", "v3", is(rec.Known()))
	})
}

// Clocks ran an hour ahead and were set right: ballots of that time are left behind, and the key is of use all the same.
func TestBallotsLeftFarAhead(t *testing.T) {
	inCluster(t, func(t *testing.T, c *cluster) {
		co := c.coordinator(1, 0, coordinator.Options{})
		v := mustPut(t, co, "k", "v1")
		c.messages.Wait()
		config := c.view.Load().Config(c.view.Load().Slot("k"))
		for _, n := range c.nodes {
			n.clock.skew.Store(int64(time.Hour))
		}
		far := record.Version{HLC: uint64(time.Now().Add(time.Hour).UnixMilli()) << 16, Writer: 9}
		c.ask(t, &wire.Request{Op: wire.OpPrepare, Config: config, Key: "k", Ballot: far})
		for _, n := range c.nodes {
			n.clock.skew.Store(0)
		}
		mustPutIf(t, co, "k", "v2", is(v))
		mustPut(t, co, "k", "v3")
		wantValue(t, co, "k", "v3")
	})
}

// A plain write whose version every owner refuses, since a ballot was prepared after its query, takes another.
func TestWriteThatABallotHasBeatenTakesAnotherVersion(t *testing.T) {
	inCluster(t, func(t *testing.T, c *cluster) {
		co := c.coordinator(1, 0, coordinator.Options{})
		config := c.view.Load().Config(c.view.Load().Slot("k"))
		ballot := record.Version{HLC: uint64(time.Now().Add(time.Second).UnixMilli()) << 16, Writer: 9}
		for _, id := range c.ids {
			var once sync.Once
			c.nodes[id].before(wire.OpWrite, func() {
				once.Do(func() {
					c.nodes[id].under().Handle(&wire.Request{Op: wire.OpPrepare, Config: config, Key: "k", Ballot: ballot}, func(wire.Response) {})
				})
			})
		}
		if v := mustPut(t, co, "k", "v"); !v.After(ballot) {
			t.Errorf("version %v, want one after the ballot, %v", v, ballot)
		}
		wantValue(t, co, "k", "v")
	})
}

func TestCompareAndSetBeginsAgainInALaterConfig(t *testing.T) {
	inCluster(t, func(t *testing.T, c *cluster) {
		co := c.coordinator(1, 0, coordinator.Options{})
		v := mustPut(t, co, "k", "v1")
		c.messages.Wait()
		config := c.view.Load().Config(c.view.Load().Slot("k"))
		later := &placement.Config{Generation: config.Generation + 1, Owners: config.Owners}
		for _, n := range c.nodes { // between the ballot and what is accepted under it
			n.before(wire.OpAccept, func() { n.promise(later) })
		}
		v2 := mustPutIf(t, co, "k", "v2", is(v))
		wantValue(t, co, "k", "v2")
		_, err := co.PutIf(t.Context(), "k", []byte("v3"), "", is(v))
		wantMismatch(t, err, v2)
	})
}

// TestNoUpdateIsLost has clients count by compare-and-set, through different coordinators with skewed clocks. Each count that was
// acknowledged is in the sum, once; of those whose outcome is unknown, any number is.
func TestNoUpdateIsLost(t *testing.T) {
	const clients, each = 5, 8
	acked, unknown := 0, 0
	for seed := range uint64(10) {
		synctest.Test(t, func(t *testing.T) {
			c := newCluster(t, seed, 3, "a", "b", "c", "d")
			var running sync.WaitGroup
			var mu sync.Mutex // guards counted and doubtful
			counted, doubtful := 0, 0
			for i := range clients {
				co := c.coordinator(uint64(i+1), time.Duration(i-2)*time.Second, coordinator.Options{Timeout: time.Second})
				running.Go(func() {
					for range each {
						yes, maybe := count(t, co)
						mu.Lock()
						counted, doubtful = counted+yes, doubtful+maybe
						mu.Unlock()
					}
				})
			}
			rng := rand.New(rand.NewPCG(seed, 2))
			c.disturb(rng, c.ids)
			running.Wait()
			rec, err := c.coordinator(99, 0, coordinator.Options{}).Get(t.Context(), "k", coordinator.ReadOptions{})
			if err != nil {
				t.Fatal(err)
			}
			if sum := number(t, rec); sum < counted || sum > counted+doubtful {
				t.Errorf("seed %d: the sum is %d, after %d acknowledged and %d unknown", seed, sum, counted, doubtful)
			}
			acked, unknown = acked+counted, unknown+doubtful
		})
	}
	if acked < 10*clients*each/2 {
		t.Errorf("only %d of %d were acknowledged, %d unknown", acked, 10*clients*each, unknown)
	}
	t.Logf("%d acknowledged, %d unknown", acked, unknown)
}

// count adds one to k, if it can.
func count(t *testing.T, co *coordinator.Coordinator) (acknowledged, unknown int) {
	for range 100 {
		rec, err := co.Get(t.Context(), "k", coordinator.ReadOptions{})
		if err != nil {
			continue
		}
		_, err = co.PutIf(t.Context(), "k", fmt.Append(nil, number(t, rec)+1), "", unchanged(rec))
		var e *coordinator.Error
		switch {
		case err == nil:
			return 1, 0
		case !errors.As(err, &e) || !e.None:
			return 0, 1
		}
		time.Sleep(time.Millisecond) // fake time
	}
	return 0, 0
}

func number(t *testing.T, rec record.Record) int {
	t.Helper()
	if !rec.Exists() {
		return 0
	}
	n, err := strconv.Atoi(string(rec.Value))
	if err != nil {
		t.Error(err)
	}
	return n
}

// ask asks every node, and waits until all are done.
func (c *cluster) ask(t *testing.T, req *wire.Request) {
	t.Helper()
	replies := make(chan wire.Reply, len(c.ids))
	for _, id := range c.ids {
		c.Send(id, id+":1", req, time.Now().Add(time.Second), replies)
	}
	for range c.ids {
		if r := <-replies; r.Err != nil || r.Response.Status != wire.OK {
			t.Fatalf("%s: %v %v (%s)", r.Node, r.Err, r.Response.Status, r.Response.Detail)
		}
	}
}

// count returns how many requests of an op were sent.
func (c *cluster) count(op wire.Op) (n int) {
	for _, node := range c.nodes {
		node.mu.Lock()
		n += node.got[op]
		node.mu.Unlock()
	}
	return n
}

// Half of a compare-and-set lies under a ballot in the earlier config: one new owner pulls its value, the others only the ballot. Those
// must not take part in another one below it, which wouldn't know of that value, and would then be hidden by it.
func TestBallotsOfAnEarlierConfigHoldInTheNext(t *testing.T) {
	inCluster(t, func(t *testing.T, c *cluster) {
		co := c.coordinator(1, 0, coordinator.Options{})
		v := mustPut(t, co, "k", "v")
		c.messages.Wait()
		old := c.view.Load().Config(c.view.Load().Slot("k"))
		ballot := record.Version{HLC: uint64(time.Now().Add(2*time.Second).UnixMilli()) << 16, Writer: 9}
		prepare := &wire.Request{Op: wire.OpPrepare, Config: old, Key: "k", Ballot: ballot}
		half := record.Record{Key: "k", Version: ballot, Value: []byte("half")}
		c.tell(t, "a", prepare)
		c.tell(t, "b", prepare)
		c.tell(t, "a", &wire.Request{Op: wire.OpAccept, Config: old, Key: "k", Record: half})

		doc, err := placement.Next(c.doc, c.placed(c.join("d", "e", "f")), "test")
		if err != nil {
			t.Fatal(err)
		}
		c.doc = doc
		c.passing("a", "b", "c", "d", "e", "f")
		now := c.view.Load().Config(c.view.Load().Slot("k"))
		pulled := func(id, without string, want string) {
			c.set(without, func(n *testNode) { n.down = true })
			defer c.set(without, func(n *testNode) { n.down = false })
			if got := c.tell(t, id, &wire.Request{Op: wire.OpRead, Config: now, Key: "k"}); string(got.Record.Value) != want || got.Version != ballot {
				t.Fatalf("%s has pulled %q under %v, want %q under %v", id, got.Record.Value, got.Version, want, ballot)
			}
		}
		pulled("d", "c", "half")
		c.set("d", func(n *testNode) { n.down = true })
		pulled("e", "a", "v")
		pulled("f", "a", "v")
		c.set("d", func(n *testNode) { n.down = false })

		switch _, err = co.PutIf(t.Context(), "k", []byte("whole"), "", is(v)); {
		case err == nil:
			wantValue(t, co, "k", "whole")
		case errors.Is(err, coordinator.ErrPreconditionFailed):
			wantValue(t, co, "k", "half")
		default:
			t.Fatal(err)
		}
	})
}

// join starts nodes that hold nothing and don't look at the view by themselves.
func (c *cluster) join(ids ...string) []string {
	c.t.Helper()
	for _, id := range ids {
		c.add(id)
		c.nodes[id].view.Store(c.viewOf(c.ids[:3]))
		c.start(id)
		c.nodes[id].view.Store(nil)
	}
	return ids
}

// tell asks one node, and returns its answer, which is OK.
func (c *cluster) tell(t *testing.T, id string, req *wire.Request) wire.Response {
	t.Helper()
	replies := make(chan wire.Reply, 1)
	c.Send(id, id+":1", req, time.Now().Add(time.Second), replies)
	r := <-replies
	if r.Err != nil || r.Response.Status != wire.OK {
		t.Fatalf("%s: %v %v (%s)", id, r.Err, r.Response.Status, r.Response.Detail)
	}
	return r.Response
}

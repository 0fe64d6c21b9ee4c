package replica_test

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"ringkv/hashring"
	"ringkv/hashring/placement"
	"ringkv/node/record"
	"ringkv/node/wire"
)

// later is a config after the ones that a joining fixture knows, with these nodes as owners.
func later(generation uint64, ids ...string) *placement.Config {
	c := &placement.Config{Generation: generation}
	for _, id := range ids {
		c.Owners = append(c.Owners, id+"/disk-"+id)
	}
	return c
}

func (j *joining) pull(c *placement.Config) *wire.Pulled {
	j.t.Helper()
	return j.want(&wire.Request{Op: wire.OpPull, Config: c, Key: "k"}, wire.OK).Pulled
}

func generations(configs []*placement.Config) (out []uint64) {
	for _, c := range configs {
		out = append(out, c.Generation)
	}
	return out
}

// What a node has promised, it tells everyone who enters a later config, after a restart as well: else that one would not
// ask those who may have acknowledged something in between.
func TestEveryPromiseIsToldUntilItIsSettledPast(t *testing.T) {
	bubble(t, func(t *testing.T) {
		st := newStore()
		j := join(t, st, well)
		j.pull(j.now)
		j.pull(later(2, "a", "e", "f"))
		j.pull(later(3, "g", "h", "i")) // not even an owner
		want := fmt.Sprint([]uint64{j.now.Generation, 2, 3})
		if got := fmt.Sprint(generations(j.pull(later(3, "g", "h", "i")).History)); got != want {
			t.Errorf("tells of %v, want %v", got, want)
		}
		j.stop()
		j = join(t, st, well)
		j.want(&wire.Request{Op: wire.OpPull, Config: later(2, "a", "e", "f"), Key: "k"}, wire.Stale)
		if got := fmt.Sprint(generations(j.pull(later(3, "g", "h", "i")).History)); got != want {
			t.Errorf("tells of %v after a restart, want %v", got, want)
		}
	})
}

// b alone knows of a config between the one that was settled last and the one to be entered: a majority of that one's
// owners has to answer too, and one of two is none.
func TestConfigThatOnlyOneOtherKnowsOfIsFencedToo(t *testing.T) {
	for _, owners := range [][]string{{"b", "e", "f"}, {"b", "e"}} {
		for _, away := range []bool{true, false} {
			bubble(t, func(t *testing.T) {
				between := later(1, owners...)
				now := later(5, "a", "b", "c")
				rec := record.Record{Key: "k", Version: ver(20), Value: []byte("between")}
				j := join(t, newStore(), func(j *joining, node string, _ *wire.Request) *wire.Response {
					switch node {
					case "b":
						return pulled("b/disk-b", j.old, []*placement.Config{j.old, between, later(3, "b", "c", "d"), later(4, "a", "b", "c"), now})
					case "e":
						if away {
							return nil
						}
						return pulled("e/disk-e", nil, []*placement.Config{between, now}, rec)
					case "f":
						return nil
					}
					return pulled(node+"/disk-"+node, j.old, []*placement.Config{j.old, now})
				}, "e", "f")
				if away {
					j.want(j.read(now), wire.NotReady)
				} else if r := j.want(j.read(now), wire.OK); string(r.Record.Value) != "between" {
					t.Errorf("read %q, want what was acknowledged in between", r.Record.Value)
				}
			})
		}
	}
}

func TestKeyIsPulledAnewInEachConfig(t *testing.T) {
	bubble(t, func(t *testing.T) {
		version := 10
		j := join(t, newStore(), func(j *joining, node string, req *wire.Request) *wire.Response {
			return pulled(node+"/disk-"+node, j.old, []*placement.Config{j.old, req.Config}, record.Record{Key: req.Key, Version: ver(version)})
		})
		beside := ""
		for i := 0; beside == "" || hashring.SlotOf(beside) != hashring.SlotOf("k"); i++ {
			beside = fmt.Sprint(i)
		}
		for i, c := range []*placement.Config{j.now, later(2, "a", "b", "c")} {
			version = 10 + i
			for _, key := range []string{"k", beside} {
				if r := j.want(&wire.Request{Op: wire.OpRead, Config: c, Key: key}, wire.OK); r.Record.Version != ver(version) {
					t.Errorf("read version %v of %q in generation %d, want %v", r.Record.Version, key, c.Generation, ver(version))
				}
			}
		}
	})
}

// This node alone knows of a config in between.
func TestConfigThatOnlyThisNodePromisedIsFencedToo(t *testing.T) {
	bubble(t, func(t *testing.T) {
		j := join(t, newStore(), func(j *joining, node string, req *wire.Request) *wire.Response {
			if node == "e" || node == "f" {
				return nil
			}
			return well(j, node, req)
		}, "e", "f")
		j.pull(later(2, "b", "e", "f"))
		j.want(j.read(later(3, "a", "b", "c")), wire.NotReady)
	})
}

// A later config is promised just after the record was looked up: the answer would be one of the config before, which may be over.
func TestAnswersAreOfTheConfigThatWasAsked(t *testing.T) {
	for _, op := range []wire.Op{wire.OpRead, wire.OpPull} {
		bubble(t, func(t *testing.T) {
			st := newStore()
			f := start(t, st, true)
			next := f.request(wire.OpPull, "k", record.Version{}, "")
			next.Config = later(1, "x", "y", "z")
			var once sync.Once
			st.looked = func() {
				once.Do(func() {
					st.looked = nil
					f.want(next, wire.OK)
				})
			}
			f.want(f.request(op, "k", record.Version{}, ""), wire.Stale)
		})
	}
}

// What other owners ask for takes a while to look up. Writes to other slots don't wait for that.
func TestWritesDoNotWaitForPages(t *testing.T) {
	for _, op := range []wire.Op{wire.OpPull, wire.OpGuard} {
		bubble(t, func(t *testing.T) {
			st := newStore()
			f := start(t, st, true)
			f.step(step{prepare, 20, ok, 0}) // so that its record is looked up for any page
			ask := &wire.Request{Op: op, Config: f.config("k"), Slot: hashring.SlotOf("k"), Ballot: ver(10), HeadOnly: true}
			if op == wire.OpPull {
				ask.Config = later(1, "x", "y", "z")
			}
			release := make(chan struct{})
			var once sync.Once
			st.looked = func() { once.Do(func() { <-release }) }
			page := f.send(ask)
			synctest.Wait()
			select {
			case resp := <-f.send(f.request(wire.OpWrite, "beside", ver(10), "ten")):
				if resp.Status != wire.OK {
					t.Errorf("write: %v (%s)", resp.Status, resp.Detail)
				}
			case <-time.After(time.Second): // fake time
				t.Errorf("the write waits for the page of op %d", op)
			}
			close(release)
			if resp := <-page; resp.Status != wire.OK || len(resp.Pulled.Records) != 1 {
				t.Errorf("op %d: %v (%s), want a page with one record: %+v", op, resp.Status, resp.Detail, resp.Pulled)
			}
		})
	}
}

// While a pull is on its way the node promises a later config: what comes of the pull says nothing about that one.
func TestPullThatIsOvertakenSettlesNothing(t *testing.T) {
	bubble(t, func(t *testing.T) {
		overtaking := &wire.Request{Op: wire.OpPull, Config: later(2, "x", "y", "z"), Key: "k"}
		j := join(t, newStore(), func(j *joining, node string, req *wire.Request) *wire.Response {
			if req.Key == "" && req.Slot != hashring.SlotOf("k") {
				return nil
			}
			if req.Op == wire.OpFetch { // the value, once the pages have come
				j.Handle(overtaking, func(wire.Response) {})
			}
			return well(j, node, req)
		})
		ctx, cancel := context.WithCancel(t.Context())
		var settling sync.WaitGroup
		settling.Go(func() { j.Settle(ctx, nil) })
		time.Sleep(100 * time.Millisecond) // fake time
		cancel()
		settling.Wait()
		if n := j.others.asks("b"); n == 0 {
			t.Error("b was asked nothing: that shows nothing")
		}
		if p := j.pull(overtaking.Config); p.Settled != nil || fmt.Sprint(generations(p.History)) != "[1 2]" {
			t.Errorf("says that it has settled %v, and promised %v", p.Settled, generations(p.History))
		}
	})
}

// Pages of different nodes end at different keys: as much is taken over as the shortest page reaches, and nothing is left out.
func TestPagesThatEndAtDifferentKeys(t *testing.T) {
	bubble(t, func(t *testing.T) {
		slot := hashring.SlotOf("k")
		var keys []string
		for i := 0; len(keys) < 60; i++ {
			if key := fmt.Sprintf("key%07d", i); hashring.SlotOf(key) == slot {
				keys = append(keys, key)
			}
		}
		// b holds every key but the last, two to a page; c holds newer ones of every third, seven to a page, and the last
		held := map[string]map[string]record.Version{"b": {}, "c": {keys[59]: ver(99)}}
		want := map[string]record.Version{}
		for i, key := range keys {
			if i < 59 {
				held["b"][key] = ver(10)
			}
			if i%3 == 0 {
				held["c"][key] = ver(20)
			}
			for _, versions := range held {
				if v := versions[key]; v.After(want[key]) {
					want[key] = v
				}
			}
		}
		page := map[string]int{"b": 2, "c": 7}
		st := newStore()
		j := join(t, st, func(j *joining, node string, req *wire.Request) *wire.Response {
			if node == "d" {
				return nil // so that b and c are both needed
			}
			history := []*placement.Config{j.old, req.Config}
			resp := pulled(node+"/disk-"+node, j.old, history)
			for _, key := range keys {
				v, ok := held[node][key]
				if !ok || req.Op == wire.OpPull && (req.Slot != slot || key <= req.After) || req.Op == wire.OpFetch && !slices.Contains(req.Keys, key) {
					continue
				}
				if resp.Pulled.More = len(resp.Pulled.Records) == page[node]; resp.Pulled.More {
					break
				}
				resp.Pulled.Records = append(resp.Pulled.Records, record.Record{Key: key, Version: v})
			}
			return resp
		})
		ctx, cancel := context.WithCancel(t.Context())
		var settling sync.WaitGroup
		settling.Go(func() { j.Settle(ctx, nil) })
		time.Sleep(100 * time.Millisecond) // fake time
		cancel()
		settling.Wait()
		if state := j.SlotState(slot); state != "settled" {
			t.Errorf("slot is %s, want settled", state)
		}
		for _, key := range keys {
			if h, _ := st.Head(key); h.Version != want[key] {
				t.Errorf("%q is held at %v, want %v", key, h.Version, want[key])
			}
		}
	})
}

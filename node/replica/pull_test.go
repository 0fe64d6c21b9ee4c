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
	"ringkv/hashring/membership"
	"ringkv/hashring/placement"
	"ringkv/node/record"
	"ringkv/node/replica"
	"ringkv/node/store"
	"ringkv/node/wire"
)

// others are the other nodes, as far as a test needs them. answer is called once for each request, and nil stands for no
// connection.
type others struct {
	mu     sync.Mutex // guards asked, and is held around answer
	asked  map[string]int
	answer func(node string, req *wire.Request) *wire.Response
}

// Send implements replica.Peers.
func (o *others) Send(node, _ string, req *wire.Request, _ time.Time, to chan<- wire.Reply) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.asked == nil {
		o.asked = map[string]int{}
	}
	o.asked[node]++
	resp := o.answer(node, req)
	if resp == nil {
		to <- wire.Reply{Node: node, Err: fmt.Errorf("no connection: %w", wire.ErrNotSent)}
		return
	}
	to <- wire.Reply{Node: node, Response: *resp}
}

func (o *others) asks(node string) int {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.asked[node]
}

// pulled is the answer of a node of that identity.
func pulled(identity string, settled *placement.Config, history []*placement.Config, recs ...record.Record) *wire.Response {
	return &wire.Response{Status: wire.OK, Pulled: &wire.Pulled{Node: identity, Settled: settled, History: history, Records: recs}}
}

// A joining fixture is node a, which generation 1 puts in d's place beside b and c.
type joining struct {
	*fixture
	others   *others
	old, now *placement.Config // of key "k"
}

func nodesOf(ids ...string) (nodes []placement.Node) {
	for _, id := range ids {
		nodes = append(nodes, placement.Node{ID: id, Weight: 1, Disk: "disk-" + id})
	}
	return nodes
}

// join runs a over st, without its background part. more nodes may pass beside a, b, c and d.
func join(t *testing.T, st *troubledStore, answer func(j *joining, node string, req *wire.Request) *wire.Response, more ...string) *joining {
	t.Helper()
	first, err := placement.First(nodesOf("b", "c", "d"), 3, "test")
	if err != nil {
		t.Fatal(err)
	}
	doc, err := placement.Next(first, nodesOf("a", "b", "c"), "test")
	if err != nil {
		t.Fatal(err)
	}
	snap := &membership.Snapshot{}
	for _, n := range nodesOf(append([]string{"a", "b", "c", "d"}, more...)...) {
		snap.Members = append(snap.Members, membership.Member{Member: hashring.Member{ID: n.ID, Weight: 1}, Disk: n.Disk, Addr: n.ID + ":1"})
	}
	view, err := placement.NewView(doc, snap)
	if err != nil {
		t.Fatal(err)
	}
	j := &joining{others: new(others)}
	j.others.answer = func(node string, req *wire.Request) *wire.Response { return answer(j, node, req) }
	r, err := replica.New(st, replica.Options{ID: "a", Disk: "disk-a", View: func() *placement.View { return view }, Peers: j.others})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	var running sync.WaitGroup
	running.Go(func() { r.Run(ctx) })
	j.fixture = &fixture{Replica: r, t: t, store: st, view: view, stop: func() { cancel(); running.Wait() }}
	t.Cleanup(j.stop)
	history := view.History(hashring.SlotOf("k"))
	j.old, j.now = &history[0], &history[1]
	return j
}

func (j *joining) read(c *placement.Config) *wire.Request {
	return &wire.Request{Op: wire.OpRead, Config: c, Key: "k"}
}

// well is what b, c and d answer when all is well, and b holds k.
func well(j *joining, node string, _ *wire.Request) *wire.Response {
	rec := record.Record{Key: "k", Version: ver(10), Value: []byte("ten")}
	if node == "b" {
		return pulled("b/disk-b", j.old, []*placement.Config{j.old, j.now}, rec)
	}
	return pulled(node+"/disk-"+node, j.old, []*placement.Config{j.old, j.now})
}

func TestKeyIsPulledBeforeItIsRead(t *testing.T) {
	bubble(t, func(t *testing.T) {
		j := join(t, newStore(), well)
		if r := j.want(j.read(j.now), wire.OK); string(r.Record.Value) != "ten" || !r.Fetched {
			t.Errorf("read %q, fetched: %v; want what the earlier owners hold, and that it was fetched", r.Record.Value, r.Fetched)
		}
		if r := j.want(j.read(j.now), wire.OK); string(r.Record.Value) != "ten" || r.Fetched {
			t.Errorf("then read %q, fetched: %v; want what is at hand by now", r.Record.Value, r.Fetched)
		}
	})
}

// Two of three owners of the earlier config acknowledged a write: b, whose disk was then wiped, and d, which is away. The
// node that runs under b's name and address by now knows nothing, and must not be taken for b.
func TestNodeOnAnotherDiskDoesNotCountAsTheOneBefore(t *testing.T) {
	bubble(t, func(t *testing.T) {
		j := join(t, newStore(), func(j *joining, node string, req *wire.Request) *wire.Response {
			switch node {
			case "b":
				return pulled("b/wiped", nil, []*placement.Config{j.now})
			case "d":
				return nil
			}
			return well(j, node, req)
		})
		j.want(j.read(j.now), wire.NotReady)
	})
}

func TestOneAnswerIsEnoughFromWhoHasSettled(t *testing.T) {
	bubble(t, func(t *testing.T) {
		j := join(t, newStore(), func(j *joining, node string, _ *wire.Request) *wire.Response {
			if node != "c" {
				return nil
			}
			return pulled("c/disk-c", j.now, []*placement.Config{j.now}, record.Record{Key: "k", Version: ver(10), Value: []byte("ten")})
		})
		if r := j.want(j.read(j.now), wire.OK); string(r.Record.Value) != "ten" {
			t.Errorf("read %q, want what the one who settled holds", r.Record.Value)
		}
	})
}

func TestThoseWhoFailAreAskedAgainButNotWithoutEnd(t *testing.T) {
	bubble(t, func(t *testing.T) {
		began := time.Now()
		j := join(t, newStore(), func(j *joining, node string, req *wire.Request) *wire.Response {
			if node == "d" || time.Since(began) < time.Second {
				return nil
			}
			return well(j, node, req)
		})
		j.want(j.read(j.now), wire.OK)
		if n := j.others.asks("d"); n < 10 || n > 25 {
			t.Errorf("d was asked %d times in a second, want about every 50 ms", n)
		}
	})
}

// Others have gone on to a later config, and this node can't promise it.
func TestLaterConfigThatCannotBePromised(t *testing.T) {
	bubble(t, func(t *testing.T) {
		st := newStore()
		full := store.ErrFull
		j := join(t, st, func(j *joining, _ string, _ *wire.Request) *wire.Response {
			st.fail = full
			return &wire.Response{Status: wire.Stale, Config: &placement.Config{Generation: 2, Owners: j.now.Owners}}
		})
		j.want(j.read(j.now), wire.NotReady)
		st.fail, full = nil, nil
		r := j.want(j.read(j.now), wire.Stale)
		if r.Config.Generation != 2 {
			t.Errorf("stale names generation %d, want the one that the others told of", r.Config.Generation)
		}
	})
}

// A config that could not be promised changes nothing for the one that is.
func TestKeysStayReadyWhenALaterConfigCannotBePromised(t *testing.T) {
	bubble(t, func(t *testing.T) {
		st := newStore()
		j := join(t, st, well)
		j.want(j.read(j.now), wire.OK)
		asked := j.others.asks("b")
		st.fail = store.ErrFull
		j.want(&wire.Request{Op: wire.OpWrite, Config: &placement.Config{Generation: 2, Owners: j.now.Owners}, Key: "k",
			Record: record.Record{Key: "k", Version: ver(20)}}, wire.Full)
		j.want(j.read(j.now), wire.OK)
		if n := j.others.asks("b"); n != asked {
			t.Errorf("the key was pulled %d times more", n-asked)
		}
	})
}

// Large values come a few at a time, who has no room for answers says so, and what came is kept.
func TestSettlingGoesOnWithWhatCame(t *testing.T) {
	bubble(t, func(t *testing.T) {
		const keys, room = 40, 3
		var recs []record.Record
		slot := hashring.SlotOf("k")
		for i := 0; len(recs) < keys; i++ {
			if key := fmt.Sprintf("key%07d", i); hashring.SlotOf(key) == slot {
				recs = append(recs, record.Record{Key: key, Version: ver(10 + i), Value: []byte(key)})
			}
		}
		fetched := 0
		st := newStore()
		j := join(t, st, func(j *joining, node string, req *wire.Request) *wire.Response {
			history := []*placement.Config{j.old, req.Config}
			switch {
			case node != "b" || req.Key == "" && req.Slot != slot:
				return pulled(node+"/disk-"+node, j.old, history)
			case req.Op == wire.OpPull:
				return pulled("b/disk-b", j.old, history, recs...)
			}
			if fetched++; fetched%5 == 0 {
				return &wire.Response{Status: wire.Overloaded, Detail: "has no room"}
			}
			resp := pulled("b/disk-b", j.old, history)
			for _, rec := range recs {
				if slices.Contains(req.Keys, rec.Key) && len(resp.Pulled.Records) < room {
					resp.Pulled.Records = append(resp.Pulled.Records, rec)
				}
			}
			resp.Pulled.More = len(resp.Pulled.Records) < len(req.Keys)
			return resp
		})
		ctx, cancel := context.WithCancel(t.Context())
		var settling sync.WaitGroup
		settling.Go(func() { j.Settle(ctx, nil) })
		time.Sleep(10 * time.Second) // fake time
		cancel()
		settling.Wait()
		if state := j.SlotState(slot); state != "settled" {
			t.Errorf("slot is %s, want settled", state)
		}
		for _, rec := range recs {
			if h, _ := st.Head(rec.Key); h.Version != rec.Version {
				t.Fatalf("%q is held at %v, want %v", rec.Key, h.Version, rec.Version)
			}
		}
	})
}

func TestStoppingAnswersThoseWhoWaitForAKey(t *testing.T) {
	bubble(t, func(t *testing.T) {
		j := join(t, newStore(), func(*joining, string, *wire.Request) *wire.Response { return nil })
		waiting := j.send(j.read(j.now))
		synctest.Wait()
		j.stop()
		asked := j.others.asks("b")
		late := j.send(j.read(j.now))
		synctest.Wait()
		for name, answer := range map[string]<-chan wire.Response{"waiting": waiting, "late": late} {
			select {
			case r := <-answer:
				if r.Status != wire.NotReady {
					t.Errorf("%s: %v, want not ready", name, r.Status)
				}
			default:
				t.Errorf("%s: no answer", name)
			}
		}
		if n := j.others.asks("b"); n != asked {
			t.Errorf("b was asked %d times after the stop", n-asked)
		}
	})
}

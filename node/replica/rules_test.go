package replica_test

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"sync"
	"testing"
	"time"

	"ringkv/hashring"
	"ringkv/hashring/placement"
	"ringkv/node/record"
	"ringkv/node/store"
	"ringkv/node/wire"
)

// A step is a request at a version, or a ballot, and what it comes to.
type step struct {
	op    wire.Op
	at    int
	want  wire.Status
	above int // Superseded: what a later version must be above
}

func (f *fixture) step(s step) wire.Response {
	f.t.Helper()
	req := f.request(s.op, "k", ver(s.at), fmt.Sprint(s.at))
	if s.op == wire.OpPrepare {
		req = &wire.Request{Op: s.op, Config: f.config("k"), Key: "k", Ballot: ver(s.at)}
	}
	r := <-f.send(req)
	if r.Status != s.want || s.want == wire.Superseded && r.Version != ver(s.above) {
		f.t.Fatalf("op %d at %d: %v above %v (%s), want %v above %v", s.op, s.at, r.Status, r.Version, r.Detail, s.want, ver(s.above))
	}
	return r
}

const (
	write     = wire.OpWrite
	writeBack = wire.OpWriteBack
	accept    = wire.OpAccept
	prepare   = wire.OpPrepare
	ok        = wire.OK
	refused   = wire.Superseded
)

// stand gives the slot of k a guard and a floor, in the config that is promised and settled.
func stand(t *testing.T, st *troubledStore, guard, floor record.Version) {
	t.Helper()
	slot := hashring.SlotOf("k")
	c := view(t, "disk-a").Config(slot)
	text, err := json.Marshal(map[string]any{"promised": c, "settled": c, "history": []*placement.Config{c}, "founded": true, "guard": guard, "floor": floor})
	if err != nil {
		t.Fatal(err)
	}
	if err := st.Apply(store.Batch{Slots: []store.SlotState{{Slot: slot, State: text}}}); err != nil {
		t.Fatal(err)
	}
}

func TestWhatIsTaken(t *testing.T) {
	for name, row := range map[string]struct {
		guard int
		steps []step
	}{
		"nothing below what is held": {steps: []step{{write, 20, ok, 0}, {writeBack, 10, refused, 20}, {accept, 10, refused, 20}, {prepare, 10, refused, 20}, {prepare, 20, refused, 20}}},
		"what is held, again":        {steps: []step{{write, 20, ok, 0}, {write, 20, ok, 0}, {writeBack, 20, ok, 0}, {accept, 20, ok, 0}}},
		"nothing below a ballot":     {steps: []step{{prepare, 20, ok, 0}, {write, 10, refused, 20}, {writeBack, 10, refused, 20}, {accept, 10, refused, 20}, {prepare, 10, refused, 20}}},
		"a ballot once more":         {steps: []step{{prepare, 20, ok, 0}, {prepare, 20, ok, 0}, {accept, 20, ok, 0}}},
		"what is above a ballot":     {steps: []step{{prepare, 20, ok, 0}, {write, 30, ok, 0}, {accept, 20, refused, 30}}},
		"a later ballot":             {steps: []step{{prepare, 20, ok, 0}, {prepare, 30, ok, 0}, {accept, 20, refused, 30}, {accept, 30, ok, 0}}},
		"what was held before the ballot is told with it, so it stays accepted":            {steps: []step{{write, 10, ok, 0}, {prepare, 20, ok, 0}, {writeBack, 10, ok, 0}}},
		"a plain write covers an earlier one":                                              {steps: []step{{write, 20, ok, 0}, {write, 10, ok, 0}}},
		"a derived record covers nothing":                                                  {steps: []step{{accept, 20, ok, 0}, {write, 10, refused, 20}}},
		"nothing is covered below a ballot, which may rest on what was before":             {steps: []step{{write, 10, ok, 0}, {prepare, 20, ok, 0}, {write, 30, ok, 0}, {write, 15, refused, 30}, {write, 25, ok, 0}}},
		"nothing is covered that a ballot above what is held may hide":                     {steps: []step{{write, 10, ok, 0}, {prepare, 20, ok, 0}, {write, 5, refused, 20}}},
		"the ballot stays with the key, through all that is written":                       {steps: []step{{prepare, 20, ok, 0}, {write, 30, ok, 0}, {write, 40, ok, 0}, {write, 15, refused, 40}}},
		"nothing up to the guard, by whatever way":                                         {guard: 30, steps: []step{{write, 30, refused, 30}, {accept, 30, refused, 30}, {prepare, 30, refused, 30}, {writeBack, 30, refused, 30}, {write, 31, ok, 0}}},
		"nothing is covered up to the guard":                                               {guard: 30, steps: []step{{write, 40, ok, 0}, {write, 30, refused, 40}, {write, 35, ok, 0}}},
		"what stands in the way is the highest of all":                                     {guard: 30, steps: []step{{prepare, 40, ok, 0}, {write, 10, refused, 40}}},
		"of two ballots' records the one that is accepted last stands, and covers nothing": {steps: []step{{prepare, 10, ok, 0}, {accept, 10, ok, 0}, {prepare, 20, ok, 0}, {accept, 20, ok, 0}, {write, 15, refused, 20}}},
	} {
		t.Run(name, func(t *testing.T) {
			bubble(t, func(t *testing.T) {
				st := newStore()
				stand(t, st, ver(row.guard), record.Version{})
				f := start(t, st, false)
				for _, s := range row.steps {
					f.step(s)
				}
			})
		})
	}
}

// read reads k, whole.
func (f *fixture) read() wire.Response {
	f.t.Helper()
	return f.want(&wire.Request{Op: wire.OpRead, Config: f.config("k"), Key: "k"}, wire.OK)
}

// A ballot outlives the process. What was accepted under which config doesn't, and is then not claimed.
func TestBallotsOutliveTheProcess(t *testing.T) {
	bubble(t, func(t *testing.T) {
		st := newStore()
		f := start(t, st, true)
		f.step(step{write, 10, ok, 0})
		r := f.step(step{prepare, 20, ok, 0})
		if string(r.Record.Value) != "10" || !r.Firm || r.Virtual || !r.Record.Ballot.IsZero() {
			t.Errorf("the ballot was answered %+v, want the record that is held", r)
		}
		if r := f.read(); !r.Firm || r.Version != ver(20) || string(r.Record.Value) != "10" {
			t.Errorf("read %+v, want 10, firm, and a ballot of 20", r)
		}
		f.stop()
		f = start(t, st, true)
		f.step(step{write, 15, refused, 20})
		f.step(step{writeBack, 10, refused, 20})
		if r := f.read(); r.Firm || r.Version != ver(20) || string(r.Record.Value) != "10" {
			t.Errorf("after a restart read %+v, want 10, not firm, and a ballot of 20", r)
		}
		f.step(step{accept, 20, ok, 0})
		if r := f.read(); !r.Firm || !r.Record.Derived || string(r.Record.Value) != "20" {
			t.Errorf("read %+v, want what was accepted, derived and firm", r)
		}
	})
}

// A ballot alone is no record: what this node holds of the key by itself is nothing.
func TestLocalShowsNoBallotAlone(t *testing.T) {
	bubble(t, func(t *testing.T) {
		f := start(t, newStore(), true)
		f.step(step{prepare, 20, ok, 0})
		if rec, _, held, err := f.Local("k"); held || err != nil {
			t.Errorf("Local = %+v, %v, %v, want none", rec, held, err)
		}
		f.step(step{accept, 20, ok, 0})
		if rec, _, held, err := f.Local("k"); !held || err != nil || string(rec.Value) != "20" {
			t.Errorf("Local = %+v, %v, %v, want what was accepted", rec, held, err)
		}
	})
}

func TestBallotIsDurableBeforeItIsAnswered(t *testing.T) {
	bubble(t, func(t *testing.T) {
		st := newStore()
		f := start(t, st, true)
		st.fail = store.ErrFull
		f.step(step{prepare, 20, wire.Full, 0})
		st.fail = nil
		f.step(step{write, 10, ok, 0})
		st.fail = store.ErrFailed
		f.step(step{prepare, 20, wire.Failed, 0})
		f.step(step{accept, 20, wire.Failed, 0})
	})
}

// The marks of a record travel with it; the sender's ballot doesn't.
func TestWriteBackKeepsTheMarksOfTheRecordAndTheBallotOfTheReplica(t *testing.T) {
	bubble(t, func(t *testing.T) {
		f := start(t, newStore(), true)
		f.step(step{prepare, 20, ok, 0})
		req := f.request(writeBack, "k", ver(30), "thirty")
		req.Record.Derived, req.Record.Origin, req.Record.Ballot = true, ver(5), ver(99)
		f.want(req, ok)
		r := f.read()
		if !r.Record.Derived || r.Record.Origin != ver(5) || r.Version != ver(20) {
			t.Errorf("read %+v, want it derived, of origin 5, and a ballot of 20", r)
		}
		req = f.request(write, "k", ver(40), "forty")
		req.Record.Derived, req.Record.Origin = true, ver(5)
		f.want(req, ok)
		if r := f.read(); r.Record.Derived || r.Record.Known() != ver(40) || r.Version != ver(20) {
			t.Errorf("read %+v, want a plain write that leaves the ballot as it was", r)
		}
	})
}

func TestFarBallotsAreRefusedUnlessTheyFollow(t *testing.T) {
	bubble(t, func(t *testing.T) {
		f := start(t, newStore(), true)
		far := int(time.Now().Add(time.Hour).UnixMilli())
		f.step(step{prepare, far, wire.TooFarAhead, 0})
		f.step(step{accept, far, wire.TooFarAhead, 0})
		f.want(&wire.Request{Op: prepare, Config: f.config("k"), Key: "k", Ballot: ver(far + 1), Base: ver(far)}, ok) // it was seen at another owner
		far += int(time.Hour.Milliseconds())
		f.want(&wire.Request{Op: prepare, Config: f.config("k"), Key: "k", Ballot: ver(far), Base: ver(int(time.Now().UnixMilli()))}, wire.TooFarAhead)
		f.step(step{writeBack, far, ok, 0})
		f.step(step{prepare, far + 1, ok, 0})
		next := f.request(accept, "k", ver(far+1), "next")
		next.Base = ver(far)
		f.want(next, ok)
	})
}

// A clock that ran ahead may have left a guard behind: the slot's keys must be of use before that time has come.
func TestBallotsFollowAFarGuard(t *testing.T) {
	bubble(t, func(t *testing.T) {
		far, st := int(time.Now().Add(time.Hour).UnixMilli()), newStore()
		stand(t, st, ver(far), record.Version{})
		f := start(t, st, false)
		f.step(step{prepare, int(time.Now().UnixMilli()), refused, far})
		f.step(step{prepare, far + 1, ok, 0})
		f.step(step{prepare, far + int(time.Hour.Milliseconds()), wire.TooFarAhead, 0})
	})
}

// Up to the floor all owners hold the same, so that a tombstone and nothing at all are one.
func TestFloorStandsForTombstones(t *testing.T) {
	bubble(t, func(t *testing.T) {
		st := newStore()
		stand(t, st, ver(30), ver(30))
		f := start(t, st, false)
		r := f.read()
		if !r.Virtual || !r.Record.Deleted || r.Record.Version != ver(30) || !r.Firm || r.Version != ver(30) {
			t.Errorf("read %+v, want a virtual tombstone at 30", r)
		}
		f.step(step{write, 30, refused, 30}) // the floor is no value, though it is at that version
		if r := f.step(step{prepare, 40, ok, 0}); !r.Virtual || r.Record.Version != ver(30) {
			t.Errorf("the ballot was answered %+v, want a virtual tombstone at 30", r)
		}
		if r := f.read(); !r.Virtual || r.Record.Version != ver(30) || !r.Firm || r.Version != ver(40) {
			t.Errorf("read %+v, want a virtual tombstone at 30 and a ballot of 40", r)
		}
	})
	bubble(t, func(t *testing.T) {
		st := newStore()
		stand(t, st, ver(30), ver(30))
		slotted := func(i int) record.Record {
			return record.Record{Key: sameSlot(i), Version: ver(10 * (i + 1)), Deleted: i != 1, Value: []byte{}}
		}
		if err := st.Store.Apply(store.Batch{Records: []record.Record{slotted(0), slotted(1), slotted(3)}}); err != nil {
			t.Fatal(err)
		}
		f := start(t, st, false)
		if _, held := st.Head(sameSlot(0)); held {
			t.Error("a tombstone below the floor is held after a restart")
		}
		for i, want := range []bool{true, false, true, false} {
			r := f.want(&wire.Request{Op: wire.OpRead, Config: f.config("k"), Key: sameSlot(i), HeadOnly: true}, wire.OK)
			if r.Virtual != want || want && r.Record.Version != ver(30) || !want && r.Record.Version != ver(10*(i+1)) {
				t.Errorf("read of key %d = %+v, virtual should be %v", i, r, want)
			}
		}
	})
}

// sameSlot returns the i-th of some keys of k's slot.
func sameSlot(i int) string {
	for n := 0; ; n++ {
		if key := fmt.Sprintf("key%07d", n); hashring.SlotOf(key) == hashring.SlotOf("k") {
			if i--; i < 0 {
				return key
			}
		}
	}
}

// What was prepared and guarded in the earlier config holds in the next one, for a key that is pulled alone and for all of them.
func TestPullsBringBallotsGuardsAndCollectedTombstones(t *testing.T) {
	other := sameSlot(0)
	answer := func(j *joining, node string, req *wire.Request) *wire.Response {
		resp := pulled(node+"/disk-"+node, j.old, []*placement.Config{j.old, req.Config})
		if req.Key == "" && req.Slot != hashring.SlotOf("k") {
			return resp
		}
		switch node {
		case "d":
			return nil
		case "b": // has collected the tombstones up to 30
			resp.Pulled.Guard, resp.Pulled.Floor = ver(50), ver(30)
		case "c": // was away when k's second key was deleted
			resp.Pulled.Guard = ver(45)
			resp.Pulled.Records = []record.Record{
				{Key: "k", Version: ver(40), Value: []byte("forty"), Ballot: ver(60)},
				{Key: other, Version: ver(10), Value: []byte("ten")},
			}
		}
		switch {
		case req.Key != "":
			resp.Pulled.Records = slicesOf(resp.Pulled.Records, req.Key)
		case req.Op == wire.OpFetch:
			resp.Pulled.Records = slicesOf(resp.Pulled.Records, req.Keys...)
		}
		return resp
	}
	check := func(t *testing.T, j *joining) {
		t.Helper()
		if r := j.want(j.read(j.now), ok); r.Firm || r.Version != ver(60) || string(r.Record.Value) != "forty" {
			t.Errorf("read %+v, want forty, not firm, and a ballot of 60", r)
		}
		if r := j.want(&wire.Request{Op: wire.OpRead, Config: j.now, Key: other}, ok); !r.Record.Deleted || r.Record.Version.Compare(ver(30)) < 0 || r.Version != ver(50) {
			t.Errorf("read of the other key = %+v, want it deleted at 30, and a guard of 50", r)
		}
		req := &wire.Request{Op: write, Config: j.now, Key: other, Record: record.Record{Key: other, Version: ver(48)}}
		if r := j.want(req, refused); r.Version != ver(50) {
			t.Errorf("a write at 48 is refused above %v, want the guard, 50", r.Version)
		}
	}
	t.Run("key by key", func(t *testing.T) {
		bubble(t, func(t *testing.T) {
			st := newStore()
			j := join(t, st, answer)
			check(t, j)
			if h, _ := st.Head(other); !h.Deleted || h.Version != ver(30) {
				t.Errorf("%+v is stored, want a real tombstone at 30", h)
			}
			j.stop()
			check(t, join(t, st, answer))
		})
	})
	t.Run("in the background", func(t *testing.T) {
		bubble(t, func(t *testing.T) {
			st := newStore()
			j := join(t, st, answer)
			j.settleAll(t)
			check(t, j)
			p := j.pull(j.now)
			if p.Floor != ver(30) || p.Guard != ver(50) || len(p.Records) != 1 || p.Records[0].Ballot != ver(60) {
				t.Errorf("tells %+v, want a floor of 30, a guard of 50 and a ballot of 60", p)
			}
			heads := j.want(&wire.Request{Op: wire.OpPull, Config: j.now, Slot: hashring.SlotOf("k"), HeadOnly: true}, ok).Pulled.Records
			if len(heads) != 1 || heads[0].Ballot != ver(60) || heads[0].Value != nil {
				t.Errorf("tells %+v of the slot, want one record with its ballot and no value", heads)
			}
		})
	})
}

func slicesOf(recs []record.Record, keys ...string) (of []record.Record) {
	for _, rec := range recs {
		if slices.Contains(keys, rec.Key) {
			of = append(of, rec)
		}
	}
	return of
}

// settleAll settles the slot of k.
func (j *joining) settleAll(t *testing.T) {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	var settling sync.WaitGroup
	settling.Go(func() { j.Settle(ctx, nil) })
	time.Sleep(10 * time.Second) // fake time
	cancel()
	settling.Wait()
	if state := j.SlotState(hashring.SlotOf("k")); state != "settled" {
		t.Fatalf("slot is %s, want settled", state)
	}
}

// A key of which nobody told is deleted at the floor of its page. Where pages had different floors, the slot is gone through
// once more, so that the one it keeps is true of all keys.
func TestSlotIsSettledWithOneFloorOnly(t *testing.T) {
	bubble(t, func(t *testing.T) {
		pages, asked := 0, map[string]int{}
		j := join(t, newStore(), func(j *joining, node string, req *wire.Request) *wire.Response {
			resp := pulled(node+"/disk-"+node, j.old, []*placement.Config{j.old, req.Config})
			if req.Key != "" || req.Slot != hashring.SlotOf("k") || node != "b" {
				return resp
			}
			if pages++; pages > 1 { // collected after the first page
				resp.Pulled.Guard, resp.Pulled.Floor = ver(30), ver(30)
			}
			asked[req.After]++
			if req.After == "" {
				resp.Pulled.Records = []record.Record{{Key: sameSlot(0), Version: ver(40), Deleted: true}}
				resp.Pulled.More = true
			}
			return resp
		})
		j.settleAll(t)
		if asked[""] != 2 || asked[sameSlot(0)] != 2 {
			t.Errorf("pages were asked for %v times, want each twice", asked)
		}
		if p := j.pull(j.now); p.Floor != ver(30) {
			t.Errorf("settled with floor %v, want 30", p.Floor)
		}
	})
}

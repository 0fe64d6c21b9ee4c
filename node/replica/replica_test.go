package replica_test

import (
	"context"
	"errors"
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
	"ringkv/node/store/memstore"
	"ringkv/node/wire"
)

// A troubledStore is a store whose disk can be held up, fail, or have lost things.
type troubledStore struct {
	*memstore.Store
	applies  []store.Batch
	gate     chan struct{} // if set, each Apply takes one token first
	fail     error
	damaged  string // a key
	doubtful int    // a slot, -1 for none
	looked   func() // if set, called when Get has the record
}

func newStore() *troubledStore { return &troubledStore{Store: memstore.Open(), doubtful: -1} }

func (s *troubledStore) Apply(b store.Batch) error {
	if s.gate != nil {
		<-s.gate
	}
	if s.fail != nil {
		return s.fail
	}
	s.applies = append(s.applies, b)
	return s.Store.Apply(b)
}

func (s *troubledStore) Get(key string) (record.Record, bool, error) {
	if key == s.damaged {
		return record.Record{}, false, fmt.Errorf("%w: %q", store.ErrCorrupt, key)
	}
	rec, ok, err := s.Store.Get(key)
	if s.looked != nil {
		s.looked()
	}
	return rec, ok, err
}

func (s *troubledStore) Head(key string) (store.Head, bool) {
	if key == s.damaged {
		return store.Head{Damaged: true}, true
	}
	return s.Store.Head(key)
}

func (s *troubledStore) Doubtful(slot int) bool { return slot == s.doubtful }
func (s *troubledStore) Repaired(int) error     { panic("not called by the replica yet") }

// A fixture is a running replica of node a among a, b and c, in a synctest bubble.
type fixture struct {
	*replica.Replica
	t     *testing.T
	store *troubledStore
	view  *placement.View
	stop  func()
}

func view(t *testing.T, disk string) *placement.View {
	t.Helper()
	doc, err := placement.First([]placement.Node{{ID: "a", Weight: 1, Disk: disk}, {ID: "b", Weight: 1}, {ID: "c", Weight: 1}}, 3, "test")
	if err != nil {
		t.Fatal(err)
	}
	v, err := placement.NewView(doc, &membership.Snapshot{})
	if err != nil {
		t.Fatal(err)
	}
	return v
}

// start runs a replica over st; it has learned the view if learn is set.
func start(t *testing.T, st *troubledStore, learn bool) *fixture {
	t.Helper()
	r, err := replica.New(st, replica.Options{ID: "a", Disk: "disk-a", Queue: 8})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	var running sync.WaitGroup
	running.Go(func() { r.Run(ctx) })
	f := &fixture{Replica: r, t: t, store: st, view: view(t, "disk-a"), stop: func() { cancel(); running.Wait() }}
	t.Cleanup(f.stop)
	if learn {
		if err := r.Learn(ctx, f.view); err != nil {
			t.Fatal(err)
		}
	}
	return f
}

func ver(ms int) record.Version { return record.Version{HLC: uint64(ms) << 16, Writer: 1} }

func (f *fixture) config(key string) *placement.Config { return f.view.Config(hashring.SlotOf(key)) }

func (f *fixture) request(op wire.Op, key string, v record.Version, value string) *wire.Request {
	return &wire.Request{Op: op, Config: f.config(key), Key: key, Queried: op == wire.OpWrite, Record: record.Record{Key: key, Version: v, Value: []byte(value)}}
}

// send hands a request in and returns where the answer will be.
func (f *fixture) send(req *wire.Request) <-chan wire.Response {
	answer := make(chan wire.Response, 1)
	f.Handle(req, func(r wire.Response) { answer <- r })
	return answer
}

func (f *fixture) want(req *wire.Request, status wire.Status) wire.Response {
	f.t.Helper()
	r := <-f.send(req)
	if r.Status != status {
		f.t.Fatalf("op %d of %q: %v (%s), want %v", req.Op, req.Key, r.Status, r.Detail, status)
	}
	return r
}

func (f *fixture) wantRead(key, value string) {
	f.t.Helper()
	r := f.want(&wire.Request{Op: wire.OpRead, Config: f.config(key), Key: key}, wire.OK)
	if string(r.Record.Value) != value {
		f.t.Fatalf("read of %q = %q, want %q", key, r.Record.Value, value)
	}
	h := f.want(&wire.Request{Op: wire.OpRead, Config: f.config(key), Key: key, HeadOnly: true}, wire.OK)
	if h.Record.Version != r.Record.Version || h.Record.Value != nil {
		f.t.Fatalf("read of %q without its value = %v, want version %v and no value", key, h.Record, r.Record.Version)
	}
}

func bubble(t *testing.T, test func(t *testing.T)) { t.Helper(); synctest.Test(t, test) }

func TestNewestVersionWins(t *testing.T) {
	bubble(t, func(t *testing.T) {
		f := start(t, newStore(), true)
		f.wantRead("k", "")
		f.want(f.request(wire.OpWrite, "k", ver(20), "twenty"), wire.OK)
		f.want(f.request(wire.OpWrite, "k", ver(20), "twenty"), wire.OK) // the same again
		f.want(f.request(wire.OpWrite, "k", ver(10), "ten"), wire.OK)    // covered by the newer one
		f.wantRead("k", "twenty")
		r := f.want(f.request(wire.OpWriteBack, "k", ver(10), "ten"), wire.Superseded)
		if r.Version != ver(20) {
			t.Errorf("superseded by %v, want %v", r.Version, ver(20))
		}
		f.want(f.request(wire.OpWriteBack, "k", ver(30), "thirty"), wire.OK)
		f.wantRead("k", "thirty")
	})
}

func TestNothingIsAnsweredBeforeItIsDurable(t *testing.T) {
	bubble(t, func(t *testing.T) {
		st := newStore()
		f := start(t, st, true)
		f.want(f.request(wire.OpWrite, "k", ver(10), "ten"), wire.OK)
		st.gate = make(chan struct{})
		pending := f.send(f.request(wire.OpWrite, "k", ver(20), "twenty"))
		synctest.Wait()
		repeated := f.send(f.request(wire.OpWriteBack, "k", ver(20), "twenty")) // holds only if the first becomes durable
		covered := f.send(f.request(wire.OpWrite, "k", ver(15), "fifteen"))
		superseded := f.send(f.request(wire.OpWriteBack, "k", ver(15), "fifteen"))
		synctest.Wait()
		f.wantRead("k", "ten")
		for name, answer := range map[string]<-chan wire.Response{"write": pending, "repeated": repeated, "covered": covered, "superseded": superseded} {
			select {
			case r := <-answer:
				t.Errorf("%s was answered %v before the disk had it", name, r.Status)
			default:
			}
		}
		close(st.gate)
		if r := <-pending; r.Status != wire.OK {
			t.Errorf("write: %v, want ok", r.Status)
		}
		<-repeated
		<-covered
		<-superseded
		f.wantRead("k", "twenty")
	})
}

func TestWaitingWritesShareASync(t *testing.T) {
	bubble(t, func(t *testing.T) {
		st := newStore()
		f := start(t, st, true)
		st.gate = make(chan struct{})
		before := len(st.applies)
		answers := []<-chan wire.Response{f.send(f.request(wire.OpWrite, "first", ver(1), ""))}
		synctest.Wait() // the committer waits for the disk with it
		for i := range 5 {
			answers = append(answers, f.send(f.request(wire.OpWrite, fmt.Sprint("k", i%3), ver(10+i), fmt.Sprint(i))))
		}
		close(st.gate)
		for _, a := range answers {
			if r := <-a; r.Status != wire.OK {
				t.Errorf("%v, want ok", r.Status)
			}
		}
		if n := len(st.applies) - before; n != 2 {
			t.Errorf("6 writes took %d syncs, want 2", n)
		}
		if n := len(st.applies[len(st.applies)-1].Records); n != 3 {
			t.Errorf("the second batch holds %d records, want the newest of 3 keys", n)
		}
		f.wantRead("k0", "3")
		f.wantRead("k1", "4")
		f.wantRead("k2", "2")
	})
}

func TestDiskErrors(t *testing.T) {
	for _, tt := range []struct {
		err  error
		want wire.Status
	}{{store.ErrFull, wire.Full}, {store.ErrFailed, wire.Failed}, {errors.New("anything else"), wire.Failed}} {
		bubble(t, func(t *testing.T) {
			st := newStore()
			f := start(t, st, true)
			f.want(f.request(wire.OpWrite, "k", ver(10), "ten"), wire.OK)
			st.fail = fmt.Errorf("write: %w", tt.err)
			f.want(f.request(wire.OpWrite, "k", ver(20), "twenty"), tt.want)
			f.want(f.request(wire.OpWrite, "k", ver(10), "ten"), wire.OK) // that one is on the disk, whatever it does now
			f.wantRead("k", "ten")
			st.fail = nil
			f.want(f.request(wire.OpWrite, "k", ver(20), "twenty"), wire.OK)
			f.wantRead("k", "twenty")
		})
	}
}

func TestQueueIsBounded(t *testing.T) {
	bubble(t, func(t *testing.T) {
		st := newStore()
		f := start(t, st, true)
		st.gate = make(chan struct{})
		var answers []<-chan wire.Response
		for i := range 12 { // one with the committer, eight in the queue
			answers = append(answers, f.send(f.request(wire.OpWrite, fmt.Sprint(i), ver(1), "")))
			synctest.Wait()
		}
		refused := 0
		for _, a := range answers {
			select {
			case r := <-a:
				if r.Status != wire.Overloaded {
					t.Errorf("%v, want overloaded", r.Status)
				}
				refused++
			default:
			}
		}
		if refused != 3 {
			t.Errorf("%d of 12 refused at once, want 3", refused)
		}
		close(st.gate)
	})
}

func TestOnlyTheFounderBeginsEmpty(t *testing.T) {
	bubble(t, func(t *testing.T) {
		f := start(t, newStore(), false)
		f.want(f.request(wire.OpRead, "k", record.Version{}, ""), wire.NotReady)
	})
	bubble(t, func(t *testing.T) {
		f := start(t, newStore(), false)
		if err := f.Learn(t.Context(), view(t, "the disk that was wiped")); err != nil {
			t.Fatal(err)
		}
		f.want(&wire.Request{Op: wire.OpRead, Config: f.config("k"), Key: "k"}, wire.NotReady)
		if owned, unsettled := f.Slots(); owned == 0 || unsettled != owned {
			t.Errorf("owns %d slots, %d unsettled: want all it was asked about unsettled", owned, unsettled)
		}
	})
	bubble(t, func(t *testing.T) {
		f := start(t, newStore(), true)
		if owned, unsettled := f.Slots(); owned != hashring.Slots || unsettled != 0 {
			t.Errorf("owns %d slots, %d unsettled, want all %d settled", owned, unsettled, hashring.Slots)
		}
	})
}

// A gateway may know the first placement, and ask, before the node itself does.
func TestFounderThatWasAskedTooEarlyBeginsEmptyAllTheSame(t *testing.T) {
	bubble(t, func(t *testing.T) {
		st := newStore()
		f := start(t, st, false)
		f.want(f.request(wire.OpRead, "k", record.Version{}, ""), wire.NotReady)
		if err := f.Learn(t.Context(), f.view); err != nil {
			t.Fatal(err)
		}
		f.want(f.request(wire.OpWrite, "k", ver(10), "ten"), wire.OK)
		if owned, unsettled := f.Slots(); owned != hashring.Slots || unsettled != 0 {
			t.Errorf("owns %d slots, %d unsettled, want all %d settled", owned, unsettled, hashring.Slots)
		}
	})
	bubble(t, func(t *testing.T) { // but not once it has promised a later config: others may have acted since
		f := start(t, newStore(), false)
		later := f.request(wire.OpRead, "k", record.Version{}, "")
		later.Config = &placement.Config{Generation: later.Config.Generation + 1, Owners: later.Config.Owners}
		f.want(later, wire.NotReady)
		if err := f.Learn(t.Context(), f.view); err != nil {
			t.Fatal(err)
		}
		f.want(later, wire.NotReady)
	})
	bubble(t, func(t *testing.T) { // nor empty once more after it has begun
		st := newStore()
		f := start(t, st, true)
		f.want(f.request(wire.OpWrite, "k", ver(10), "ten"), wire.OK)
		f.stop()
		again := start(t, st, true)
		again.wantRead("k", "ten")
	})
}

func TestConfigsAreKeptApart(t *testing.T) {
	bubble(t, func(t *testing.T) {
		st := newStore()
		f := start(t, st, true)
		f.want(f.request(wire.OpWrite, "k", ver(10), "ten"), wire.OK)
		now := f.config("k")

		foreign := f.request(wire.OpRead, "k", record.Version{}, "")
		foreign.Config = &placement.Config{Generation: now.Generation, Owners: []string{"a/disk-a", "x", "y"}}
		f.want(foreign, wire.BadRequest)

		later := f.request(wire.OpWrite, "k", ver(20), "twenty")
		later.Config = &placement.Config{Generation: now.Generation + 5, Owners: []string{"a/disk-a", "d", "e"}}
		f.want(later, wire.NotReady) // promised, but what the others hold isn't known yet
		r := f.want(f.request(wire.OpRead, "k", record.Version{}, ""), wire.Stale)
		if !r.Config.Equal(later.Config) {
			t.Errorf("stale names %v, want the config promised, %v", r.Config, later.Config)
		}
		gone := f.request(wire.OpRead, "k", record.Version{}, "")
		gone.Config = &placement.Config{Generation: now.Generation + 9, Owners: []string{"d", "e", "f"}}
		f.want(gone, wire.NotOwner)
		f.stop()

		again := start(t, st, true) // promises outlive the process, and nothing begins empty twice
		r = again.want(f.request(wire.OpWrite, "k", ver(30), "thirty"), wire.Stale)
		if !r.Config.Equal(gone.Config) {
			t.Errorf("after a restart stale names %v, want %v", r.Config, gone.Config)
		}
		if state := again.SlotState(hashring.SlotOf("k")); state != "not an owner" {
			t.Errorf("slot is %q after a restart", state)
		}
	})
}

func TestBadRequests(t *testing.T) {
	bubble(t, func(t *testing.T) {
		f := start(t, newStore(), true)
		config := f.config("k")
		for name, req := range map[string]*wire.Request{
			"no config":             {Op: wire.OpRead, Key: "k"},
			"no key":                {Op: wire.OpRead, Config: config},
			"unknown operation":     {Op: 99, Config: config, Key: "k"},
			"write with no version": {Op: wire.OpWrite, Config: config, Key: "k", Record: record.Record{Key: "k"}},
			"write of another key":  {Op: wire.OpWrite, Config: config, Key: "k", Record: record.Record{Key: "j", Version: ver(1)}},
		} {
			if r := <-f.send(req); r.Status != wire.BadRequest || r.Detail == "" {
				t.Errorf("%s: %v (%s), want a bad request that says why", name, r.Status, r.Detail)
			}
		}
	})
}

func TestFarVersionsAreRefusedUnlessTheyFollow(t *testing.T) {
	bubble(t, func(t *testing.T) {
		f := start(t, newStore(), true)
		far := record.Version{HLC: uint64(time.Now().Add(time.Hour).UnixMilli()) << 16, Writer: 1}
		f.want(f.request(wire.OpWrite, "k", far, "far"), wire.TooFarAhead)
		f.wantRead("k", "")
		f.want(f.request(wire.OpWriteBack, "k", far, "far"), wire.OK) // a read has seen it: it exists
		next := f.request(wire.OpWrite, "k", record.Version{HLC: far.HLC + 1, Writer: 2}, "next")
		next.Base = far
		f.want(next, wire.OK)
		f.wantRead("k", "next")
	})
}

// A wall clock that was set back while the process was down makes no version older than what the disk holds.
func TestClockGoesOnAboveWhatIsStored(t *testing.T) {
	bubble(t, func(t *testing.T) {
		f := start(t, newStore(), true)
		now := int(time.Now().UnixMilli())
		f.want(f.request(wire.OpWrite, "k", ver(now), "v"), wire.OK)
		f.stop()
		back := func() time.Time { return time.Now().Add(-3 * time.Second) }
		clock := record.NewClock(back, 7, 5*time.Second)
		if _, err := replica.New(f.store, replica.Options{ID: "a", Disk: "disk-a", Now: back, Clock: clock}); err != nil {
			t.Fatal(err)
		}
		if v := clock.Next(record.Version{}); !v.After(ver(now)) {
			t.Errorf("Next = %v, want one after %v, which is stored", v, ver(now))
		}
	})
}

func TestDamageIsNeverServedNorWrittenOver(t *testing.T) {
	bubble(t, func(t *testing.T) {
		st := newStore()
		f := start(t, st, true)
		st.damaged = "k"
		f.want(f.request(wire.OpRead, "k", record.Version{}, ""), wire.NotReady)
		f.want(&wire.Request{Op: wire.OpRead, Config: f.config("k"), Key: "k", HeadOnly: true}, wire.NotReady)
		f.want(f.request(wire.OpWrite, "k", ver(10), "ten"), wire.NotReady)
		f.want(f.request(wire.OpWrite, "other", ver(10), "ten"), wire.OK)
	})
	bubble(t, func(t *testing.T) {
		st := newStore()
		st.doubtful = hashring.SlotOf("k")
		f := start(t, st, true)
		f.want(f.request(wire.OpRead, "k", record.Version{}, ""), wire.NotReady)
		if owned, _ := f.Slots(); owned != hashring.Slots-1 {
			t.Errorf("took %d slots over, want all but the one in doubt", owned)
		}
	})
}

func TestStoppingAnswersEverything(t *testing.T) {
	bubble(t, func(t *testing.T) {
		st := newStore()
		f := start(t, st, true)
		st.gate = make(chan struct{}, 100)
		first := f.send(f.request(wire.OpWrite, "a", ver(1), "a"))
		synctest.Wait()
		queued := f.send(f.request(wire.OpWrite, "b", ver(1), "b"))
		stopped := make(chan struct{})
		go func() { f.stop(); close(stopped) }()
		synctest.Wait()
		late := f.send(f.request(wire.OpWrite, "c", ver(1), "c"))
		close(st.gate)
		<-stopped
		got := []wire.Status{(<-first).Status, (<-queued).Status, (<-late).Status}
		if !slices.Equal(got[:2], []wire.Status{wire.OK, wire.OK}) || got[2] == 0 {
			t.Errorf("answers %v, want what was queued done, and the late one answered", got)
		}
		if r := <-f.send(f.request(wire.OpWrite, "d", ver(1), "d")); r.Status != wire.NotReady {
			t.Errorf("after the stop: %v, want not ready", r.Status)
		}
	})
}

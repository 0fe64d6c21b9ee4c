package replica_test

import (
	"testing"
	"testing/synctest"
	"time"

	"ringkv/hashring/placement"
	"ringkv/node/record"
	"ringkv/node/replica"
	"ringkv/node/store"
	"ringkv/node/wire"
)

// fast asks to store k at a version that was stamped without a query.
func (f *fixture) fast(at int) <-chan wire.Response {
	req := f.request(wire.OpWrite, "k", ver(at), "fast")
	req.Queried = false
	return f.send(req)
}

// wantHad checks that a write at that version is refused, and what is said of it.
func (f *fixture) wantHad(at int, want wire.Had) {
	f.t.Helper()
	if r := <-f.fast(at); r.Status != wire.Superseded || r.Had != want {
		f.t.Errorf("a write at %d: %v, had %d, want it superseded, had %d", at, r.Status, r.Had, want)
	}
}

const (
	accepted = wire.HadAccepted
	never    = wire.HadNever
	unknown  = wire.HadUnknown
)

func TestRefusedWritesAreToldWhetherTheyWereHeld(t *testing.T) {
	type had = map[int]wire.Had
	for name, row := range map[string]struct {
		guard, floor int
		steps        []step
		want         had
	}{
		"accepted and replaced":                                    {steps: []step{{write, 20, ok, 0}, {write, 30, ok, 0}}, want: had{20: accepted, 10: never, 25: never}},
		"by whatever way":                                          {steps: []step{{writeBack, 20, ok, 0}, {prepare, 30, ok, 0}, {accept, 30, ok, 0}, {write, 40, ok, 0}}, want: had{20: accepted, 30: accepted, 35: never}},
		"a write to an absent key":                                 {steps: []step{{write, 20, ok, 0}}, want: had{10: never}},
		"a plain one isn't covered by it":                          {steps: []step{{write, 20, ok, 0}, {write, 10, ok, 0}}, want: had{10: never}},
		"brought by another owner":                                 {steps: []step{{wire.OpSync, 20, ok, 0}, {write, 30, ok, 0}}, want: had{20: unknown, 10: never, 25: never}},
		"below a ballot that is held":                              {steps: []step{{write, 10, ok, 0}, {prepare, 40, ok, 0}, {accept, 40, ok, 0}}, want: had{10: accepted, 20: unknown}},
		"below a ballot that was replaced":                         {steps: []step{{write, 10, ok, 0}, {prepare, 40, ok, 0}, {write, 50, ok, 0}}, want: had{20: unknown, 45: never}},
		"below a ballot that wasn't accepted":                      {steps: []step{{write, 10, ok, 0}, {prepare, 40, ok, 0}}, want: had{20: unknown}},
		"below what was accepted without a ballot of its own here": {steps: []step{{write, 10, ok, 0}, {accept, 40, ok, 0}}, want: had{20: never}},
		"up to the guard":                                          {guard: 30, steps: []step{{write, 40, ok, 0}}, want: had{25: unknown, 30: unknown, 35: never}},
		"up to the floor":                                          {guard: 30, floor: 30, steps: []step{{write, 40, ok, 0}}, want: had{25: unknown, 30: unknown, 35: never}},
	} {
		t.Run(name, func(t *testing.T) {
			bubble(t, func(t *testing.T) {
				st := newStore()
				stand(t, st, ver(row.guard), ver(row.floor))
				f := start(t, st, false)
				for _, s := range row.steps {
					f.step(s)
				}
				for at, want := range row.want {
					f.wantHad(at, want)
				}
			})
		})
	}
}

// Of sixteen versions all is known, of those before them nothing.
func TestLongPastsAreForgottenFromTheirBeginning(t *testing.T) {
	bubble(t, func(t *testing.T) {
		f := start(t, newStore(), true)
		for at := 10; at <= 180; at += 10 {
			f.step(step{write, at, ok, 0})
		}
		for at, want := range map[int]wire.Had{5: unknown, 10: unknown, 20: unknown, 25: never, 30: accepted, 170: accepted, 175: never} {
			f.wantHad(at, want)
		}
	})
}

// What was held before a restart isn't known, and must not be taken for never.
func TestPastsDoNotOutliveTheProcess(t *testing.T) {
	bubble(t, func(t *testing.T) {
		st := newStore()
		f := start(t, st, true)
		f.step(step{write, 20, ok, 0})
		f.step(step{write, 30, ok, 0})
		f.stop()
		f = start(t, st, true)
		for _, at := range []int{10, 20, 25} {
			f.wantHad(at, unknown)
		}
		f.step(step{write, 40, ok, 0})
		for at, want := range map[int]wire.Had{10: unknown, 20: unknown, 25: unknown, 30: unknown, 35: never} {
			f.wantHad(at, want)
		}
	})
}

// "Never" rests on what is held instead. Before that is durable, a crash would let in what was never to be.
func TestRefusalsWaitForWhatTheyRestOn(t *testing.T) {
	bubble(t, func(t *testing.T) {
		st := newStore()
		f := start(t, st, true)
		st.gate = make(chan struct{})
		f.send(f.request(write, "other", ver(1), "holds up the disk"))
		synctest.Wait() // it has begun
		newer := f.send(f.request(write, "k", ver(20), "newer"))
		refusal := f.fast(10)
		st.gate <- struct{}{}
		synctest.Wait() // all that can be answered is
		select {
		case r := <-refusal:
			t.Fatalf("a write is refused (%v) while what it rests on isn't durable", r.Status)
		default:
		}
		st.fail = store.ErrFull
		st.gate <- struct{}{}
		if a, b := <-newer, <-refusal; a.Status != wire.Full || b.Status != wire.Full {
			t.Errorf("what couldn't be stored is answered %v, and what it rests on %v", a.Status, b.Status)
		}
		close(st.gate)
		st.fail = nil
		f.step(step{write, 15, ok, 0})
		f.step(step{write, 30, ok, 0})
		f.wantHad(20, never)
		f.wantHad(15, accepted)
	})
}

// A version that came with a pull is held, though it was accepted in no write of this config; and what was accepted in one config
// was not accepted in the next.
func TestAcceptedInOneConfigIsNotAcceptedInAnother(t *testing.T) {
	bubble(t, func(t *testing.T) {
		j := join(t, newStore(), func(j *joining, node string, req *wire.Request) *wire.Response {
			return pulled(node+"/disk-"+node, j.old, []*placement.Config{j.old, req.Config}, record.Record{Key: req.Key, Version: ver(10)})
		})
		had := func(c *placement.Config, at int, want wire.Had) {
			t.Helper()
			req := &wire.Request{Op: wire.OpWrite, Config: c, Key: "k", Record: record.Record{Key: "k", Version: ver(at)}}
			if r := j.want(req, wire.Superseded); r.Had != want {
				t.Errorf("in generation %d a write at %d had %d, want %d", c.Generation, at, r.Had, want)
			}
		}
		for _, at := range []int{20, 30} {
			j.want(&wire.Request{Op: wire.OpWrite, Config: j.now, Key: "k", Record: record.Record{Key: "k", Version: ver(at)}}, ok)
		}
		had(j.now, 10, unknown)
		had(j.now, 20, accepted)
		had(j.now, 25, never)
		next := later(2, "a", "b", "c")
		had(next, 20, unknown)
		had(next, 25, never)
	})
}

// A damaged record is replaced by what others hold. What it was is lost, and everything up to that moment unknown.
func TestNothingIsKnownFromBeforeARepair(t *testing.T) {
	bubble(t, func(t *testing.T) {
		s := newStreet(t, replica.UpkeepOptions{}, "a", "b", onDisk)
		time.Sleep(10 * time.Second) // fake time
		lost, key := s.at(0), "key7"
		s.write(key, s.at(time.Second), "older", "a", "b", onDisk)
		s.write(key, lost, "value-7.", onDisk)
		s.kill(onDisk)
		s.damage(onDisk, "value-7.", func(at []byte) { at[2] ^= 4 })
		s.start(onDisk)
		time.Sleep(2 * time.Minute)
		s.wantHeld(key, "older", "a", "b", onDisk)
		s.write(key, s.at(0), "newer", "a", "b", onDisk)
		resp := s.do(onDisk, &wire.Request{Op: wire.OpWrite, Config: s.config(key), Key: key, Record: s.record(key, lost, "value-7.")})
		if resp.Status != wire.Superseded || resp.Had != unknown {
			t.Errorf("a write that was held before the damage: %v, had %d, want superseded, and that nothing is known", resp.Status, resp.Had)
		}
	})
}

package simulation

import (
	"errors"
	"slices"
	"time"

	"ringkv/gateway/coordinator"
	"ringkv/integration/oracle"
)

// An outcome is what there is to judge once a run is over.
type outcome struct {
	ops            []oracle.Op
	answered, held []oracle.Reading
}

// conclude reads and writes everything once more, and notes what there is to judge.
func (w *world) conclude() *outcome {
	w.readOnce()
	w.useOnce()
	w.sight()
	return &outcome{w.history.Ops(), w.readAll(), w.heldByAll()}
}

// judge holds all promises against the history and the disks. It runs in real time: to search for an order may take long, most of all where there is none, so
// that what finds most violations at once comes first.
func (w *world) judge(o *outcome) {
	var gateways []string
	for _, g := range w.gateways {
		gateways = append(gateways, g.name)
	}
	for _, check := range []struct {
		what string
		err  error
	}{
		{"versions", w.checkVersions(o.ops)},
		{"stored versions", oracle.CheckStored(w.sights)},
		{"values", oracle.CheckValues(o.ops)},
		{"acknowledged", oracle.CheckAcked(o.ops, o.answered, gateways...)},
		{"deleted", oracle.CheckDeleted(o.ops, o.answered, gateways...)},
		{"copies", oracle.CheckCopies(o.ops, o.held, replicas/2+1)},
		{"a register", oracle.CheckRegister(slices.DeleteFunc(slices.Clone(o.ops), func(op oracle.Op) bool { return w.ledger.lost(op.Key) }))},
	} {
		if check.err != nil {
			w.fail("%s: %v", check.what, check.err)
		}
	}
	if len(w.failures) > 0 {
		return
	}
	if err := oracle.CheckLinear(slices.Concat(o.ops, w.ledger.losses), 5*time.Minute); err != nil {
		w.fail("linearizable: %v", err)
	}
}

// checkVersions is oracle.CheckVersions, but for what users did with a key after its loss: nobody can write something newer than what is lost.
func (w *world) checkVersions(ops []oracle.Op) error {
	lost := map[string]int64{}
	for _, loss := range w.ledger.losses {
		if at, known := lost[loss.Key]; !known || loss.Call < at {
			lost[loss.Key] = loss.Call
		}
	}
	var before, after []oracle.Op
	for _, op := range ops {
		switch at, known := lost[op.Key]; {
		case !known || op.Return < at:
			before = append(before, op)
		case op.Client == users:
			after = append(after, op)
		}
	}
	return errors.Join(oracle.CheckVersions(before), oracle.CheckVersions(after))
}

// readOnce reads every key through every gateway before anything is written any more: nothing may be missing.
func (w *world) readOnce() {
	for _, g := range w.gateways {
		for _, key := range w.plan.keys {
			w.get(g.target(), users, key)
		}
	}
}

// useOnce writes and reads every key through every gateway: all is well again, so that must work.
func (w *world) useOnce() {
	for i, g := range w.gateways {
		for _, key := range w.plan.keys {
			t := g.target()
			w.put(t, users, key, oracle.MakeValue(key, users, i, 0))
			w.get(t, users, key)
		}
	}
	for _, op := range w.history.Ops() {
		if op.Client == users && op.Outcome != oracle.OK {
			w.fail("all is well again, but %v", op)
		}
	}
}

// readAll asks every gateway for every key.
func (w *world) readAll() (readings []oracle.Reading) {
	ctx, cancel := w.boundedContext()
	defer cancel()
	for _, g := range w.gateways {
		for _, key := range w.plan.keys {
			rec, err := g.target().co.Get(ctx, key, coordinator.ReadOptions{})
			if err != nil {
				w.fail("all is well again, but %s can't read %s: %v", g.name, key, err)
				continue
			}
			readings = append(readings, oracle.Reading{From: g.name, Key: key, Value: string(rec.Value), Found: rec.Exists()})
		}
	}
	return readings
}

// heldByAll returns what each owner holds itself.
func (w *world) heldByAll() (readings []oracle.Reading) {
	view := w.gateways[0].source.View()
	for _, key := range w.plan.keys {
		for _, o := range view.Owners(slotOf(key)) {
			parts := w.node(o.ID).look()
			if parts == nil {
				continue
			}
			rec, _, ok, err := parts.data.Local(key)
			if err != nil {
				w.fail("%s can't read %s from its disk: %v", o.ID, key, err)
				continue
			}
			readings = append(readings, oracle.Reading{From: o.ID, Key: key, Value: string(rec.Value), Found: ok && rec.Exists()})
		}
	}
	return readings
}

// outcomes counts the operations.
func (w *world) outcomes() (ok, unknown, failed int) {
	for _, op := range w.history.Ops() {
		switch op.Outcome {
		case oracle.OK:
			ok++
		case oracle.Failed:
			failed++
		default:
			unknown++
		}
	}
	return ok, unknown, failed
}

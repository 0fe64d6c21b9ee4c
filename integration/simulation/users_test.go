package simulation

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"time"

	"ringkv/gateway/coordinator"
	"ringkv/hashring"
	"ringkv/integration/oracle"
	"ringkv/node/record"
)

// use lets one user read and write until done is closed: now and then by itself, and in bursts when something happens.
func (w *world) use(user int, done <-chan struct{}) {
	rng := w.random(fmt.Sprint("user ", user))
	for n := 0; ; {
		stirred := w.stirred()
		burst := 1
		select {
		case <-done:
			return
		case <-stirred:
			if rng.IntN(2) == 0 {
				continue
			}
			burst = 1 + rng.IntN(7)
			time.Sleep(exponential(rng, pick(rng, 2*time.Millisecond, 50*time.Millisecond, 500*time.Millisecond)))
		case <-time.After(exponential(rng, 3*time.Second)):
		}
		key := w.hot()
		for ; burst > 0; burst-- {
			if rng.IntN(4) == 0 {
				key = w.plan.keys[rng.IntN(len(w.plan.keys))]
			}
			w.operate(rng, user, n, key)
			n++
			time.Sleep(exponential(rng, w.plan.pace))
		}
	}
}

// take uses up one operation on key, if there is one left.
func (w *world) take(key string) bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.flying[key] >= mostFlying {
		return false
	}
	w.left[key]--
	return w.left[key] >= 0
}

// unknownCost is how many operations one whose outcome is unknown counts for: each doubles what the search for an order has to try.
const (
	unknownCost = 12
	mostFlying  = 5 // operations under way on one key, for the same reason
)

// fly notes that one more operation on key is under way.
func (w *world) fly(key string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.flying[key]++
}

// land notes that one has ended.
func (w *world) land(key string, outcome oracle.Outcome) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.flying[key]--
	if outcome == oracle.Unknown {
		w.left[key] -= unknownCost
	}
}

// hot returns the key that everybody is at now.
func (w *world) hot() string {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.plan.keys[w.stirs%len(w.plan.keys)]
}

// operate does one operation on key through some machine.
func (w *world) operate(rng *rand.Rand, user, n int, key string) {
	w.operateThrough(w.target(rng), rng, user, n, key)
}

func (w *world) operateThrough(t *target, rng *rand.Rand, user, n int, key string) {
	what := rng.IntN(20)
	mix := w.plan.mix
	if t == nil || !w.take(key) {
		return
	}
	switch {
	case what < mix.deletes:
		w.remove(t, user, key)
	case what < mix.deletes+mix.swaps:
		w.swap(t, user, key, oracle.MakeValue(key, user, n, 0))
	case what < mix.deletes+mix.swaps+mix.puts:
		w.put(t, user, key, oracle.MakeValue(key, user, n, 0))
	default:
		w.get(t, user, key)
	}
}

// A target is a process that coordinates operations.
type target struct {
	by *process
	co *coordinator.Coordinator
}

// target returns a gateway, or now and then a node; nil where the one chosen is down. The last gateway is left to late comers.
func (w *world) target(rng *rand.Rand) *target {
	g, n := w.gateways[rng.IntN(len(w.gateways)-1)], w.nodes[rng.IntN(len(w.nodes))]
	if rng.IntN(4) > 0 {
		return g.target()
	}
	return n.target()
}

func (g *gateway) target() *target {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.running == nil || g.co == nil {
		return nil
	}
	return &target{g.running, g.co}
}

func (n *node) target() *target {
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.running == nil || n.parts == nil {
		return nil
	}
	return &target{n.running, n.parts.co}
}

func (w *world) put(t *target, user int, key, value string) {
	op := w.begin(t, user, oracle.Put, key, value)
	v, err := t.co.Put(t.by.ctx, key, []byte(value), "")
	w.end(t, op, err, oracle.Answer{Version: v.String()})
}

// swap writes value in place of what it has just read, if that is still there. The read is no part of the history.
func (w *world) swap(t *target, user int, key, value string) {
	seen, err := t.co.Get(t.by.ctx, key, coordinator.ReadOptions{})
	if err != nil {
		return
	}
	text := fmt.Sprintf("user %d: %v %s %s in place of %v", user, oracle.Cas, key, value, seen.Known())
	w.trace.note(t.by.m.name, "%s", text)
	w.fly(key)
	op := running{w.history.BeginCas(user, key, value, string(seen.Value), !seen.Exists()), key, text}
	v, err := t.co.PutIf(t.by.ctx, key, []byte(value), "", func(present record.Record) bool {
		return present.Exists() == seen.Exists() && (!seen.Exists() || present.Known() == seen.Known())
	})
	if errors.Is(err, coordinator.ErrPreconditionFailed) {
		w.end(t, op, nil, oracle.Answer{})
		return
	}
	w.end(t, op, err, oracle.Answer{Found: true, Version: v.String()})
}

func (w *world) remove(t *target, user int, key string) {
	op := w.begin(t, user, oracle.Delete, key, "")
	v, deleted, err := t.co.Delete(t.by.ctx, key)
	a := oracle.Answer{Version: v.String()}
	if !deleted { // it may be the version of an earlier deletion
		a.Version = ""
	}
	w.end(t, op, err, a)
}

func (w *world) get(t *target, user int, key string) {
	op := w.begin(t, user, oracle.Get, key, "")
	rec, err := t.co.Get(t.by.ctx, key, coordinator.ReadOptions{})
	w.end(t, op, err, answerOf(rec))
}

func answerOf(rec record.Record) oracle.Answer {
	a := oracle.Answer{Value: string(rec.Value), Found: rec.Exists()}
	if !rec.Version.IsZero() {
		a.Version = rec.Known().String()
	}
	return a
}

// A running operation, and what the trace says of it.
type running struct {
	oracle.Running
	key, text string
}

func (w *world) begin(t *target, user int, kind oracle.Kind, key, value string) running {
	text := fmt.Sprintf("user %d: %v %s %s", user, kind, key, value)
	w.trace.note(t.by.m.name, "%s", text)
	w.fly(key)
	return running{w.history.Begin(user, kind, key, value), key, text}
}

// end notes what came of an operation, once its machine can say so.
func (w *world) end(t *target, op running, err error, a oracle.Answer) {
	if !w.awaitAwake(t) {
		err = errors.New("the process died")
	}
	var e *coordinator.Error
	outcome := oracle.OK
	switch {
	case err == nil:
	case errors.As(err, &e) && e.None:
		outcome, a = oracle.Failed, oracle.Answer{Detail: err.Error()}
	default:
		outcome, a = oracle.Unknown, oracle.Answer{Detail: err.Error()}
	}
	w.land(op.key, outcome)
	w.trace.note(t.by.m.name, "%s: %v, %q %v %s %s", op.text, outcome, a.Value, a.Found, a.Version, a.Detail)
	op.End(outcome, a)
}

// awaitAwake waits while the target's machine is paused, and reports whether the process lived on.
func (w *world) awaitAwake(t *target) bool {
	woken := make(chan struct{})
	t.by.m.whenAwake(func() { close(woken) })
	<-woken
	return t.by.alive()
}

// sight notes what each node holds itself.
func (w *world) sight() {
	for i, n := range w.nodes {
		parts := n.look()
		if parts == nil {
			continue
		}
		for _, key := range w.plan.keys {
			at := w.history.Now()
			rec, _, ok, err := parts.data.Local(key)
			if err != nil || !ok || rec.Version.IsZero() {
				continue
			}
			w.mu.Lock()
			w.sights = append(w.sights, oracle.Op{
				Client: 1_000_000*i + 10_000*int(n.disks.Load()) + n.eras, Kind: oracle.Get, Key: key, Value: string(rec.Value), Found: rec.Exists(),
				Version: rec.Version.String(), Call: at, Return: w.history.Now(), Outcome: oracle.OK,
			})
			w.mu.Unlock()
		}
	}
}

// boundedContext is for what the judge asks.
func (w *world) boundedContext() (context.Context, context.CancelFunc) {
	return context.WithTimeout(context.Background(), 10*time.Second)
}

func slotOf(key string) int { return hashring.SlotOf(key) }

package replica_test

import (
	"fmt"
	"math/rand/v2"
	"testing"
	"time"

	"ringkv/hashring"
	"ringkv/node/record"
	"ringkv/node/store"
	"ringkv/node/wire"
)

// A witness knows all that one replica has held of k in one config, and what it has said of that.
type witness struct {
	t             *testing.T
	trace         []string
	held, ok      map[int]bool
	never         map[int]bool
	ballot, guard int
}

func (w *witness) applied(b store.Batch) {
	for _, rec := range b.Records {
		if rec.Key == "k" && !rec.Version.IsZero() {
			w.holds(int(rec.Version.HLC >> 16))
		}
	}
}

func (w *witness) holds(v int) {
	if w.held[v] = true; w.never[v] {
		w.fail("%d is held, after it was said that it never would be", v)
	}
}

func (w *witness) fail(format string, args ...any) {
	w.t.Helper()
	w.t.Fatalf(format+"\n%v", append(args, w.trace)...)
}

// answered checks what is said to a request at version v.
func (w *witness) answered(op wire.Op, v int, queried bool, r wire.Response) {
	w.trace = append(w.trace, fmt.Sprintf("op %d at %d: %v had %d", op, v, r.Status, r.Had))
	switch {
	case op == wire.OpPrepare && r.Status == wire.OK:
		w.ballot = max(w.ballot, v)
	case op == wire.OpGuard && r.Status == wire.OK:
		w.guard = max(w.guard, v)
	case op == wire.OpPrepare || op == wire.OpGuard || op == wire.OpFloor || op == wire.OpSync:
	case r.Status == wire.OK:
		if w.ok[v] = true; !queried {
			w.holds(v)
		}
	case r.Had == wire.HadNever:
		if w.never[v] = true; w.held[v] || w.ballot > v || w.guard >= v {
			w.fail("%d was never held, it is said: held %v, ballot %d, guard %d", v, w.held[v], w.ballot, w.guard)
		}
	case r.Had == wire.HadAccepted && !w.ok[v]:
		w.fail("%d was accepted, it is said", v)
	}
}

// Whatever happens to a replica, what it says of the past is true, and stays so.
func TestWhatIsSaidOfThePastIsTrueForGood(t *testing.T) {
	said := map[wire.Had]int{}
	for seed := range uint64(60) {
		bubble(t, func(t *testing.T) {
			rng := rand.New(rand.NewPCG(seed, 9))
			st := newStore()
			f := start(t, st, true)
			w := &witness{t: t, held: map[int]bool{}, ok: map[int]bool{}, never: map[int]bool{}}
			slot, top := hashring.SlotOf("k"), 4
			for range 120 {
				if rng.IntN(25) == 0 {
					f.stop()
					f = start(t, st, true)
					w.trace = append(w.trace, "restart")
				}
				st.fail = nil
				if rng.IntN(6) == 0 {
					st.fail = store.ErrFull
				}
				st.gate = make(chan struct{})
				first := f.send(f.request(write, "other", ver(1), "holds up the disk"))
				time.Sleep(time.Millisecond) // fake time
				type sent struct {
					op      wire.Op
					v       int
					queried bool
					answer  <-chan wire.Response
				}
				var all []sent
				top++
				for range 1 + rng.IntN(6) {
					v := max(1, top-rng.IntN(12))
					op := []wire.Op{write, write, write, write, write, writeBack, writeBack, accept, prepare, wire.OpSync, wire.OpGuard, wire.OpFloor}[rng.IntN(12)]
					req := f.request(op, "k", ver(v), fmt.Sprint(v))
					req.Queried = op == write && rng.IntN(3) == 0
					req.Record.Deleted = v%3 == 0
					switch op {
					case prepare:
						if rng.IntN(3) > 0 {
							continue
						}
						req = &wire.Request{Op: op, Config: f.config("k"), Key: "k", Ballot: ver(v)}
					case wire.OpGuard, wire.OpFloor:
						if v = top - 8 - rng.IntN(8); v < 1 || rng.IntN(2) > 0 {
							continue
						}
						req = &wire.Request{Op: op, Config: f.config("k"), Slot: slot, Ballot: ver(v)}
					}
					all = append(all, sent{op, v, req.Queried, f.send(req)})
				}
				before := len(st.applies)
				close(st.gate)
				<-first
				var answers []wire.Response
				for _, s := range all {
					answers = append(answers, <-s.answer)
				}
				st.gate = nil
				for _, b := range st.applies[before:] {
					w.applied(b)
				}
				for i, s := range all {
					w.answered(s.op, s.v, s.queried, answers[i])
					said[answers[i].Had]++
				}
				if h, _ := st.Head("k"); st.fail != nil && h.Version != (record.Version{}) {
					w.trace = append(w.trace, "full")
				}
			}
			f.stop()
		})
	}
	if said[never] < 100 || said[accepted] < 100 {
		t.Errorf("had %v: that shows nothing", said)
	}
}

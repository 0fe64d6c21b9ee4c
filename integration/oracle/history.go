package oracle

import (
	"slices"
	"sync"
	"time"
)

// A History collects operations and faults as they happen. It is safe for concurrent use.
type History struct {
	now func() time.Duration

	mu     sync.Mutex // guards what follows, and the Ops inside
	last   int64
	ops    []*Op
	acked  int
	ended  int
	faults []Fault
}

// A Fault is something that was broken on purpose.
type Fault struct {
	At   int64 // nanoseconds since the history began
	What string
}

// NewHistory begins a history. now is monotonic; nil means the time passed since the call.
func NewHistory(now func() time.Duration) *History {
	if now == nil {
		start := time.Now()
		now = func() time.Duration { return time.Since(start) }
	}
	return &History{now: now}
}

// stampLocked returns the time, and no time twice: with a fake clock that stands still, what came first is still known.
func (h *History) stampLocked() int64 {
	h.last = max(h.last+1, int64(h.now()))
	return h.last
}

// Now returns a time after all that was noted before, and before all that is noted later.
func (h *History) Now() int64 {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.stampLocked()
}

// A Running operation has begun and not ended.
type Running struct {
	history *History
	op      *Op
}

// Begin notes an operation; call it before the request is sent. value is what a Put writes. An operation that is never ended
// counts as Unknown.
func (h *History) Begin(client int, kind Kind, key, value string) Running {
	h.mu.Lock()
	defer h.mu.Unlock()
	op := &Op{Client: client, Kind: kind, Key: key, Value: value, Call: h.stampLocked(), Return: Never}
	h.ops = append(h.ops, op)
	return Running{h, op}
}

// BeginCas is Begin for a Cas, which writes value if what is there is wanted, or if nothing is there where absent is set.
func (h *History) BeginCas(client int, key, value, wanted string, absent bool) Running {
	r := h.Begin(client, Cas, key, value)
	h.mu.Lock()
	defer h.mu.Unlock()
	r.op.Wanted, r.op.Absent = wanted, absent
	return r
}

// An Answer is what came back. All of it is optional.
type Answer struct {
	Value   string // of a Get
	Found   bool   // of a Get: there is a value; of a Cas: there was what it wanted
	Version string
	Detail  string // why it isn't OK
}

// End notes the answer; call it once the answer is whole. Only the first End of an operation counts.
func (r Running) End(outcome Outcome, a Answer) {
	r.history.mu.Lock()
	defer r.history.mu.Unlock()
	if r.op.Return != Never {
		return
	}
	r.op.Return = r.history.stampLocked()
	r.op.Outcome, r.op.Version, r.op.Detail = outcome, a.Version, a.Detail
	r.history.ended++
	if outcome == OK {
		r.history.acked++
	}
	if r.op.Kind == Get {
		r.op.Value = a.Value
	}
	r.op.Found = a.Found && (r.op.Kind == Get || r.op.Kind == Cas)
}

// Fault notes that something is being broken now; call it before breaking it.
func (h *History) Fault(what string) Fault {
	h.mu.Lock()
	defer h.mu.Unlock()
	f := Fault{At: h.stampLocked(), What: what}
	h.faults = append(h.faults, f)
	return f
}

// Ops returns a copy of what was noted so far, in the order of Call.
func (h *History) Ops() []Op {
	h.mu.Lock()
	defer h.mu.Unlock()
	ops := make([]Op, len(h.ops))
	for i, op := range h.ops {
		ops[i] = *op
	}
	return ops
}

// Acknowledged returns how many operations have ended OK so far.
func (h *History) Acknowledged() int {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.acked
}

// Ended returns how many operations have ended so far, however.
func (h *History) Ended() int {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.ended
}

// Faults returns a copy of the faults noted so far, in order.
func (h *History) Faults() []Fault {
	h.mu.Lock()
	defer h.mu.Unlock()
	return slices.Clone(h.faults)
}

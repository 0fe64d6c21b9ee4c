package simulation

import (
	"fmt"
	"hash/fnv"
	"strings"
	"sync"
	"time"

	"ringkv/node/wire"
)

// A trace is what happened in a run, line by line. Messages are noted only if they are about a key of the history, or its slot.
type trace struct {
	start time.Time
	slots map[int]bool

	mu    sync.Mutex // guards lines
	lines []line
}

// A line is put into words only when somebody wants to read it.
type line struct {
	at       time.Duration
	who, to  string
	what     string
	args     []any
	req      *wire.Request
	response *wire.Response
}

func (t *trace) add(l line) {
	t.mu.Lock()
	defer t.mu.Unlock()
	l.at = time.Since(t.start)
	t.lines = append(t.lines, l)
}

// note adds a sentence. Its arguments must not change any more.
func (t *trace) note(who, what string, args ...any) { t.add(line{who: who, what: what, args: args}) }

// message adds what becomes of a request, or of its answer.
func (t *trace) message(what, from, to string, req *wire.Request, resp *wire.Response) {
	if req.Key == "" && !t.slots[req.Slot] {
		return
	}
	t.add(line{who: from, to: to, what: what, req: req, response: resp})
}

func (l *line) String() string {
	if l.req == nil {
		return fmt.Sprintf("%12v %-4s %s", l.at, l.who, fmt.Sprintf(l.what, l.args...))
	}
	about := l.req.Key
	if about == "" {
		about = fmt.Sprintf("slot %d after %q", l.req.Slot, l.req.After)
	}
	text := fmt.Sprintf("%12v %-4s %s %s: op %d of %s in %s", l.at, l.who, l.what, l.to, l.req.Op, about, configText(l.req))
	if v := l.req.Record.Version; !v.IsZero() {
		text += fmt.Sprintf(" version %v", v)
		if l.req.Queried {
			text += " queried"
		}
	}
	if r := l.response; r != nil {
		text += fmt.Sprintf(": %v %s", r.Status, r.Detail)
		if r.Had != wire.HadUnknown {
			text += fmt.Sprintf(" had %d", r.Had)
		}
		if v := r.Record.Version; !v.IsZero() {
			text += fmt.Sprintf(" holds %v", v)
		}
		if r.Config != nil {
			text += fmt.Sprintf(" promised %d %v", r.Config.Generation, r.Config.Owners)
		}
		if p := r.Pulled; p != nil {
			text += " pulled"
			if p.Settled != nil {
				text += fmt.Sprintf(" settled %d", p.Settled.Generation)
			}
			for _, c := range p.History {
				text += fmt.Sprintf(" promised %d", c.Generation)
			}
			for _, rec := range p.Records {
				text += fmt.Sprintf(" %s=%v", rec.Key, rec.Version)
			}
		}
	}
	return text
}

func configText(req *wire.Request) string {
	if req.Config == nil {
		return "no config"
	}
	return fmt.Sprintf("%d %v", req.Config.Generation, req.Config.Owners)
}

// String returns the whole trace, numbered.
func (t *trace) String() string {
	t.mu.Lock()
	defer t.mu.Unlock()
	var b strings.Builder
	for i := range t.lines {
		fmt.Fprintf(&b, "%6d %s\n", i+1, t.lines[i].String())
	}
	return b.String()
}

// sum is a digest of the trace.
func (t *trace) sum() uint64 {
	h := fnv.New64a()
	h.Write([]byte(t.String()))
	return h.Sum64()
}

package oracle

import (
	"fmt"
	"maps"
	"math"
	"slices"
	"time"
)

// Kind is what an operation does.
type Kind uint8

// The kinds of operation.
const (
	Put Kind = iota
	Get
	Delete
	Cas // a put on the condition that a certain value, or none, is there
	// Loss is no client's: from some moment after its call on, and until its return, the key may hold what any write has left, or nothing. It stands for
	// disks that were given up. Only CheckLinear knows it.
	Loss
)

func (k Kind) String() string {
	switch k {
	case Put:
		return "put"
	case Get:
		return "get"
	case Cas:
		return "cas"
	case Loss:
		return "loss"
	default:
		return "delete"
	}
}

// Outcome is what a client knows of an operation when it's over.
type Outcome uint8

// The outcomes. The zero Outcome is Unknown: whatever isn't known to have failed may have happened, or may still.
const (
	Unknown Outcome = iota
	OK              // acknowledged; for a Get, answered, be it with a value or with its absence
	Failed          // certain to have had no effect, now and later
)

func (o Outcome) String() string {
	switch o {
	case OK:
		return "ok"
	case Failed:
		return "failed"
	default:
		return "unknown"
	}
}

// Never is the Return of an operation that hasn't ended.
const Never = math.MaxInt64

// An Op is one operation of one client. Times are in nanoseconds since the history began. Operation A is before B when
// A.Return < B.Call; otherwise they overlap.
type Op struct {
	Client  int
	Kind    Kind
	Key     string
	Value   string // what a Put or a Cas wrote, or what a Get returned
	Found   bool   // of a Get: there was a value, which may be empty; of a Cas: there was what it wanted
	Wanted  string // by a Cas: the value that must be there
	Absent  bool   // of a Cas: no value must be there, in place of Wanted
	Version string // as answered, empty if it wasn't; sorts as text
	Call    int64
	Return  int64
	Outcome Outcome
	Detail  string // of what isn't OK: why, for people
}

func (o Op) String() string {
	what := fmt.Sprintf("%q", shorten(o.Value, maxShownValue))
	if o.Kind == Delete || o.Kind == Get && !o.Found {
		what = "absent"
	}
	if o.Kind == Cas {
		wanted := fmt.Sprintf("%q", shorten(o.Wanted, maxShownValue))
		if o.Absent {
			wanted = "absent"
		}
		what = fmt.Sprintf("%s -> %s", wanted, what)
		if o.mismatched() {
			what += ", which wasn't there"
		}
	}
	end := "never"
	if o.Return != Never {
		end = time.Duration(o.Return).String()
	}
	text := fmt.Sprintf("client %d %s %q %s [%v..%s] %s", o.Client, o.Kind, o.Key, what, time.Duration(o.Call), end, o.Outcome)
	if o.Version != "" {
		text += " version " + o.Version
	}
	if o.Detail != "" {
		text += " (" + shorten(o.Detail, maxShownDetail) + ")"
	}
	return text
}

// writes reports whether o may have changed its key.
func (o Op) writes() bool {
	return o.Kind != Get && o.Kind != Loss && o.Outcome != Failed && !o.mismatched()
}

// puts reports whether o is there to store a value.
func (o Op) puts() bool { return o.Kind == Put || o.Kind == Cas }

// mismatched reports whether o found something else than it wanted.
func (o Op) mismatched() bool { return o.Kind == Cas && o.Outcome == OK && !o.Found }

// settled is the time by which o's effect, if any, has come: Never for a write whose outcome is unknown.
func (o Op) settled() int64 {
	if o.Outcome == Unknown {
		return Never
	}
	return o.Return
}

// How much of a value, and of an explanation, messages show.
const (
	maxShownValue  = 80
	maxShownDetail = 600
)

func shorten(s string, most int) string {
	if len(s) <= most {
		return s
	}
	return s[:most] + "..."
}

// byKey splits ops by key, keeping their order, and returns the keys sorted.
func byKey(ops []Op) ([]string, map[string][]Op) {
	split := map[string][]Op{}
	for _, op := range ops {
		split[op.Key] = append(split[op.Key], op)
	}
	return slices.Sorted(maps.Keys(split)), split
}

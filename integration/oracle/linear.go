package oracle

import (
	"fmt"
	"time"

	"github.com/anishathalye/porcupine"
)

// What CheckLinear takes of one key: beyond it, the search may need more time and memory than there is.
const (
	MaxLinearOps     = 100
	MaxLinearClients = 10
)

// CheckLinear returns an error unless each key's operations are linearizable (Herlihy and Wing, 1990), by exhaustive search
// (Porcupine) where an order isn't found at once. Writes of unknown outcome may take effect at any time after their call, or not at all; gets that weren't
// answered say nothing. It also fails if a key has more operations or clients than the limits above, or if the search of
// one key takes longer than patience. What a Loss leaves need not be the newest, but everybody sees the same of it.
func CheckLinear(ops []Op, patience time.Duration) error {
	v := &Violation{Promise: "each key is linearizable"}
	keys, split := byKey(ops)
	for _, key := range keys {
		events, err := porcupineOps(split[key])
		if err != nil {
			v.add("%q can't be judged: %v", key, err)
			continue
		}
		if explained(split[key]) {
			continue
		}
		switch porcupine.CheckOperationsTimeout(register(), events, patience) {
		case porcupine.Illegal:
			v.add("no order explains %q:%s", key, listing(split[key]))
		case porcupine.Unknown:
			v.add("%q was not decided within %v", key, patience)
		}
	}
	return v.err()
}

func listing(ops []Op) (text string) {
	for _, op := range ops {
		text += "\n" + op.String()
	}
	return text
}

// content is the state of a register, and what an operation writes or reads.
type content struct {
	present bool
	value   string
}

// anything is the state after a Loss: nobody has looked yet at what is left.
type anything struct{}

type input struct {
	loses  bool
	writes bool
	to     content
	only   bool    // if this is there:
	from   content // what a Cas wants
}

// swapped is what came of a Cas.
type swapped struct {
	known   bool // else it may have written or not
	matched bool
}

func porcupineOps(ops []Op) ([]porcupine.Operation, error) {
	clients := map[int]bool{}
	var events []porcupine.Operation
	for _, op := range ops {
		e := porcupine.Operation{ClientId: op.Client, Call: op.Call, Return: op.settled()}
		switch {
		case op.Kind == Loss:
			e.Input = input{loses: true}
		case op.Kind == Get && op.Outcome == OK:
			e.Input, e.Output = input{}, content{op.Found, op.Value}
		case op.Kind == Cas && op.Outcome != Failed:
			e.Input = input{writes: true, to: content{true, op.Value}, only: true, from: content{!op.Absent, op.Wanted}}
			e.Output = swapped{known: op.Outcome == OK, matched: op.Found}
		case op.writes():
			e.Input = input{writes: true, to: content{op.Kind == Put, putValue(op)}}
		default:
			continue
		}
		clients[op.Client] = true
		events = append(events, e)
	}
	if len(events) > MaxLinearOps || len(clients) > MaxLinearClients {
		return nil, fmt.Errorf("%d operations of %d clients, at most %d of %d", len(events), len(clients), MaxLinearOps, MaxLinearClients)
	}
	return events, nil
}

func putValue(op Op) string {
	if op.Kind == Put {
		return op.Value
	}
	return ""
}

// register is Porcupine's description of one key.
func register() porcupine.Model {
	return porcupine.Model{
		Init: func() any { return content{} },
		Step: func(state, in, out any) (bool, any) {
			i := in.(input)
			_, unseen := state.(anything)
			switch {
			case i.loses:
				return true, anything{}
			case !i.writes && unseen:
				return true, out
			case !i.writes:
				return out == state, state
			case !i.only:
				return true, i.to
			}
			was := out.(swapped)
			matched := i.from == state || unseen && was.matched
			if matched {
				state = i.to
			}
			return !was.known || was.matched == matched, state
		},
	}
}

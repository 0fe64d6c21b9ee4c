package coordinator

import (
	"errors"
	"fmt"

	"ringkv/node/record"
)

var (
	// ErrNoRing is returned while it isn't known who holds what.
	ErrNoRing = errors.New("no_ring")
	// ErrQuorumUnavailable is returned when too few owners of the key can answer. A write is known not to be acknowledged.
	ErrQuorumUnavailable = errors.New("quorum_unavailable")
	// ErrOverloaded is returned when owners refuse because too much is waiting already.
	ErrOverloaded = errors.New("overloaded")
	// ErrOutcomeUnknown is returned when a write may have happened, or may still.
	ErrOutcomeUnknown = errors.New("outcome_unknown")
	// ErrPreconditionFailed is returned when the condition of a write doesn't hold. Nothing was changed.
	ErrPreconditionFailed = errors.New("precondition_failed")
)

// An Error says why a request didn't come through. errors.Is finds the sentinel that it wraps.
type Error struct {
	Err    error  // one of this package's sentinels
	None   bool   // nothing was stored anywhere, and nothing will be
	Detail string // a sentence for people: what each node answered

	Present record.Version // ErrPreconditionFailed: the version of the value that is there, zero if there is none
}

func (e *Error) Error() string { return fmt.Sprintf("%v: %s", e.Err, e.Detail) }

func (e *Error) Unwrap() error { return e.Err }

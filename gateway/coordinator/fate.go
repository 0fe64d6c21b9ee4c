package coordinator

import (
	"errors"

	"ringkv/node/record"
	"ringkv/node/wire"
)

// hidden reports whether nobody has seen the record or ever will, though some owners may hold it, or come to: so many others refuse it and never held it
// that one of them is in every majority (DESIGN.md, "A write"). What was sent to owners of earlier configs must be known to be refused, since these know nothing of that.
func (s *storing) hidden() bool {
	return s.op == wire.OpWrite && s.elsewhere == 0 && s.never >= everyMajority(len(s.o.owners))
}

// untouched reports whether the record is nowhere, and can't get anywhere any more.
func (s *storing) untouched() bool { return s.stored == 0 && s.doubtful == 0 }

// nowhere reports whether it is untouched in all its attempts.
func (s *storing) nowhere() bool { return s.untouched() && !s.earlier }

// fate finds out what became of a record that was beaten. Errors are errUnseen, or *Error.
func (s *storing) fate() (record.Version, error) {
	if s.untouched() || s.hidden() {
		return record.Version{}, errUnseen
	}
	return s.resolve()
}

// errUnseen says that a record has had no effect, and never will.
var errUnseen = errors.New("it was never seen")

// resolve finds out what became of a record that may be stored at some owners while too many refused it. If the key is found to hold it, it has taken
// effect. If it is found to hold what is older, that was stored again above the record, by owners of whom nobody had seen it: errUnseen. Else it may
// have taken effect before something else did.
func (s *storing) resolve() (record.Version, error) {
	rec, err := s.o.readByBallot()
	switch {
	case err != nil:
	case rec.Known() == s.rec.Version:
		return s.rec.Version, nil
	case s.rec.Version.After(rec.Known()):
		s.above = later(s.above, rec.Version)
		return record.Version{}, errUnseen
	}
	return record.Version{}, s.o.failure(ErrOutcomeUnknown, false, s.stored, s.o.w, "are known to have stored it")
}

// outcome says honestly what is known of a write that W owners did not take.
func (s *storing) outcome() error {
	switch {
	case s.doubtful > 0:
		return s.o.failure(ErrOutcomeUnknown, false, s.stored, s.o.w, "are known to have stored it")
	case s.overloaded:
		return s.o.failure(ErrOverloaded, s.nowhere(), s.stored, s.o.w, "stored it")
	default:
		return s.o.failure(ErrQuorumUnavailable, s.nowhere(), s.stored, s.o.w, "stored it")
	}
}

// inDoubt keeps an error that arose between two tries from claiming that nothing was stored when something was.
func (s *storing) inDoubt(err error) error {
	var e *Error
	if errors.As(err, &e) {
		e.None = e.None && s.nowhere()
	}
	return err
}

// mayBeStored reports whether a reply that isn't OK leaves open whether the record is on the node's disk, or will be.
func mayBeStored(r wire.Reply) bool {
	if r.Err != nil {
		return !isNotSent(r.Err)
	}
	return r.Response.Status == wire.Failed
}

func isNotSent(err error) bool { return errors.Is(err, wire.ErrNotSent) }

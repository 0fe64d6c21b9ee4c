package api

import (
	"errors"
	"net/http"

	"ringkv/gateway/coordinator"
)

// An Outcome is how a request ended. It settles the status of the answer, the `error` in its body and the label in the
// metrics.
type Outcome uint8

// The outcomes. All but OK and NotModified are errors, and come with a problem body.
const (
	OK Outcome = iota
	NotModified
	BadKey
	BadRequest
	Forbidden
	NotFound
	MethodNotAllowed
	BodyTimeout
	Conflict
	LengthRequired
	PreconditionFailed
	ValueTooLarge
	KeyTooLong
	HeadersTooLarge
	ExpectationFailed
	Internal
	NotSupported
	VersionNotSupported
	NoRing
	QuorumUnavailable
	Overloaded
	NotReady
	OutcomeUnknown
	outcomes // how many there are
)

type outcomeInfo struct {
	status    int
	name      string // as users and metrics see it
	title     string
	retryable bool // the same request may succeed later
}

var outcomeTable = [outcomes]outcomeInfo{
	OK:                  {http.StatusOK, "ok", "", false},
	NotModified:         {http.StatusNotModified, "not_modified", "", false},
	BadKey:              {http.StatusBadRequest, "bad_key", "The key is not valid", false},
	BadRequest:          {http.StatusBadRequest, "bad_request", "The request is not valid", false},
	Forbidden:           {http.StatusForbidden, "forbidden", "Not allowed from this address", false},
	NotFound:            {http.StatusNotFound, "not_found", "Not found", false},
	MethodNotAllowed:    {http.StatusMethodNotAllowed, "method_not_allowed", "Method not allowed", false},
	BodyTimeout:         {http.StatusRequestTimeout, "body_timeout", "The body came too slowly", true},
	Conflict:            {http.StatusConflict, "conflict", "Not possible as things are", false},
	LengthRequired:      {http.StatusLengthRequired, "length_required", "The length of the value is missing", false},
	PreconditionFailed:  {http.StatusPreconditionFailed, "precondition_failed", "The condition does not hold", false},
	ValueTooLarge:       {http.StatusRequestEntityTooLarge, "value_too_large", "The value is too large", false},
	KeyTooLong:          {http.StatusRequestURITooLong, "key_too_long", "The key is too long", false},
	HeadersTooLarge:     {http.StatusRequestHeaderFieldsTooLarge, "headers_too_large", "The headers are too large", false},
	ExpectationFailed:   {http.StatusExpectationFailed, "expectation_failed", "The expectation can't be met", false},
	Internal:            {http.StatusInternalServerError, "internal", "Something went wrong here", true},
	NotSupported:        {http.StatusNotImplemented, "not_supported", "Not supported", false},
	VersionNotSupported: {http.StatusHTTPVersionNotSupported, "not_supported", "HTTP version not supported", false},
	NoRing:              {http.StatusServiceUnavailable, "no_ring", "Who holds the key is not known yet", true},
	QuorumUnavailable:   {http.StatusServiceUnavailable, "quorum_unavailable", "Too few replicas can answer", true},
	Overloaded:          {http.StatusServiceUnavailable, "overloaded", "Too much is waiting already", true},
	NotReady:            {http.StatusServiceUnavailable, "not_ready", "Not ready", true},
	OutcomeUnknown:      {http.StatusGatewayTimeout, "outcome_unknown", "The write may have happened, or may still", true},
}

// String returns the outcome as users and metrics see it.
func (o Outcome) String() string { return outcomeTable[o].name }

// Status returns the HTTP status that goes with the outcome.
func (o Outcome) Status() int { return outcomeTable[o].status }

// What the coordinator can answer, and what users see of it.
var coordinatorErrors = []struct {
	err     error
	outcome Outcome
}{
	{coordinator.ErrNoRing, NoRing},
	{coordinator.ErrQuorumUnavailable, QuorumUnavailable},
	{coordinator.ErrOverloaded, Overloaded},
	{coordinator.ErrOutcomeUnknown, OutcomeUnknown},
	{coordinator.ErrPreconditionFailed, PreconditionFailed},
}

// readProblem says what to answer to a read of key that ended in err. A read changes nothing, whatever became of it.
func readProblem(key string, err error) Problem {
	p := Problem{Outcome: QuorumUnavailable, Key: key, Detail: "the owners of the key did not answer in time"}
	if e, o, ok := fromCoordinator(err); ok {
		p.Outcome, p.Detail = o, e.Detail
	}
	return p
}

// writeProblem says what to answer to a write of key that ended in err. An error that the coordinator did not explain
// leaves the outcome in doubt.
func writeProblem(key string, err error) Problem {
	p := Problem{Outcome: OutcomeUnknown, Key: key, Detail: "the owners of the key did not answer in time", Unknown: true}
	if e, o, ok := fromCoordinator(err); ok {
		p.Outcome, p.Detail, p.Unknown = o, e.Detail, !e.None
	}
	return p
}

func fromCoordinator(err error) (*coordinator.Error, Outcome, bool) {
	var e *coordinator.Error
	if !errors.As(err, &e) {
		return nil, 0, false
	}
	for _, row := range coordinatorErrors {
		if errors.Is(e, row.err) {
			return e, row.outcome, true
		}
	}
	return nil, 0, false
}

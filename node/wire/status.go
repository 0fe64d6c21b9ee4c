package wire

var statusText = [...]string{
	OK: "ok", Stale: "stale", Superseded: "superseded", NotReady: "not ready", NotOwner: "not an owner",
	TooFarAhead: "too far ahead", Full: "full", Overloaded: "overloaded", BadRequest: "bad request", Failed: "failed",
}

// String returns the status in words.
func (s Status) String() string {
	if int(s) < len(statusText) && statusText[s] != "" {
		return statusText[s]
	}
	return "unknown status"
}

package api

import (
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/gin-gonic/gin"
)

const (
	maxProblem = 1023 // bytes of an error body, whatever the key and the detail
	maxDetail  = 400  // bytes of the detail in it
)

// A Problem is an error as a client sees it: problem details of RFC 9457 that are an envelope of this API at the same
// time. It repeats nothing of the request but the key.
type Problem struct {
	Outcome Outcome
	Key     string // empty where the request is not about a key, or the key is not valid
	Detail  string // a sentence for people
	Unknown bool   // the request may have changed something
}

// Fail answers with p, and returns its outcome. A connection on which a body is still to come is closed, since waiting
// for the rest of it would put the answer off.
func Fail(c *gin.Context, p Problem) Outcome {
	h := c.Writer.Header()
	h["Content-Type"] = problemType
	h["Cache-Control"] = noStore
	switch p.Outcome {
	case Overloaded, NoRing:
		h["Retry-After"] = retryAfter
	}
	buf := takeBuffer()
	*buf = p.append((*buf)[:0])
	if bodyPending(c.Request) {
		h["Connection"] = connectionClose
		h["Content-Length"] = []string{strconv.Itoa(len(*buf))} // net/http finds it no more: part sends the answer before the handler ends
	}
	send(c, p.Outcome.Status(), *buf)
	giveBuffer(buf)
	return p.Outcome
}

// append appends the JSON of p. A key that would make it too long is left out: half a key would be another key.
func (p Problem) append(b []byte) []byte {
	info := &outcomeTable[p.Outcome]
	start := len(b)
	b = append(b, `{"success":false`...)
	keyAt := len(b)
	b = append(b, `,"error":"`...)
	b = append(b, info.name...)
	b = append(b, `","title":`...)
	b = AppendString(b, info.title)
	b = append(b, `,"status":`...)
	b = strconv.AppendInt(b, int64(info.status), 10)
	b = append(b, `,"detail":`...)
	b = AppendString(b, clip(p.Detail, maxDetail))
	b = append(b, `,"outcome":"`...)
	if p.Unknown {
		b = append(b, "unknown"...)
	} else {
		b = append(b, "none"...)
	}
	b = append(b, `","retryable":`...)
	b = strconv.AppendBool(b, info.retryable)
	b = append(b, '}')
	if p.Key == "" {
		return b
	}
	member := AppendString([]byte(`,"key":`), p.Key)
	if len(b)-start+len(member) > maxProblem {
		return b
	}
	return slices.Insert(b, keyAt, member...)
}

// clip returns s, or as much of its beginning as takes no more than room bytes within a JSON string, and … behind that.
func clip(s string, room int) string {
	s = strings.ToValidUTF8(s, "?")
	for i, r := range s {
		switch {
		case r < ' ':
			room -= len(`\u0000`)
		case r == '"' || r == '\\':
			room -= 2
		default:
			room -= utf8.RuneLen(r)
		}
		if room < 0 {
			return s[:i] + "…"
		}
	}
	return s
}

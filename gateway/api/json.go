package api

import (
	"encoding/base64"
	"net/http"
	"strconv"
	"unicode/utf8"

	"github.com/gin-gonic/gin"

	"ringkv/node/record"
)

// The bodies of the successful answers, appended by hand: they are all that a busy gateway ever writes.

func appendPut(b []byte, key string, v record.Version) []byte {
	b = append(b, `{"success":true,"key":`...)
	b = AppendString(b, key)
	b = append(b, `,"version":"`...)
	b = v.AppendText(b)
	return append(b, `"}`...)
}

func appendDelete(b []byte, key string, deleted bool) []byte {
	b = append(b, `{"success":true,"key":`...)
	b = AppendString(b, key)
	if deleted {
		return append(b, `,"deleted":true}`...)
	}
	return append(b, `,"deleted":false}`...)
}

func appendGet(b []byte, key string, r *record.Record) []byte {
	b = append(b, `{"success":true,"key":`...)
	b = AppendString(b, key)
	b = AppendValue(b, r.Value)
	b = append(b, `,"version":"`...)
	b = r.Known().AppendText(b)
	return append(b, `"}`...)
}

// AppendValue appends the members of an object that show a value: ,"value":"…" as text where it is UTF-8, else as base64
// with ,"encoding":"base64".
func AppendValue(b, value []byte) []byte {
	b = append(b, `,"value":"`...)
	e := encodingOf(value)
	return append(e.append(b, value), e.after...)
}

// An encoding is a way to put a value into a JSON string.
type encoding struct {
	append func(b, value []byte) []byte
	size   func(value []byte) int // of what append appends
	after  string                 // comes behind it
}

func encodingOf(value []byte) encoding {
	switch {
	case record.Plain(value):
		return encoding{appendPlain, plainLen, `"`}
	case utf8.Valid(value):
		return encoding{appendEscaped[[]byte], escapedLen, `"`}
	}
	return encoding{base64.StdEncoding.AppendEncode, base64Len, `","encoding":"base64"`}
}

func appendPlain(b, value []byte) []byte { return append(b, value...) }
func plainLen(value []byte) int          { return len(value) }
func base64Len(value []byte) int         { return base64.StdEncoding.EncodedLen(len(value)) }

// piece is how much of a large value is put into JSON at a time, a multiple of 3 as base64 wants it. As JSON a value
// takes up to six times its size; so that this doesn't stand in memory, it is written piece by piece.
const piece = 24 << 10

// streamGet answers with what appendGet appends.
func streamGet(c *gin.Context, key string, r *record.Record) {
	e := encodingOf(r.Value)
	before := append(AppendString([]byte(`{"success":true,"key":`), key), `,"value":"`...)
	after := append(r.Known().AppendText([]byte(e.after+`,"version":"`)), `"}`...)
	c.Writer.Header()["Content-Length"] = []string{strconv.Itoa(len(before) + e.size(r.Value) + len(after))}
	c.Writer.WriteHeader(http.StatusOK)
	_, err := c.Writer.Write(before)
	buf := takeBuffer()
	for rest := r.Value; len(rest) > 0 && err == nil; {
		n := min(len(rest), piece)
		*buf = e.append((*buf)[:0], rest[:n])
		rest = rest[n:]
		err = writeBody(c, *buf)
	}
	giveBuffer(buf)
	if err == nil {
		_, _ = c.Writer.Write(after) // if this fails, the client is gone
	}
}

const hexDigits = "0123456789abcdef"

// AppendString appends s as a JSON string (RFC 8259): quote, backslash and the controls below space are escaped, and
// nothing else. s is UTF-8.
func AppendString[S string | []byte](b []byte, s S) []byte {
	return append(appendEscaped(append(b, '"'), s), '"')
}

func appendEscaped[S string | []byte](b []byte, s S) []byte {
	from := 0
	for i := 0; i < len(s); i++ {
		ch := s[i]
		if ch >= ' ' && ch != '"' && ch != '\\' {
			continue
		}
		b = append(b, s[from:i]...)
		from = i + 1
		switch ch {
		case '"', '\\':
			b = append(b, '\\', ch)
		case '\n':
			b = append(b, `\n`...)
		case '\r':
			b = append(b, `\r`...)
		case '\t':
			b = append(b, `\t`...)
		default:
			b = append(b, '\\', 'u', '0', '0', hexDigits[ch>>4], hexDigits[ch&15])
		}
	}
	return append(b, s[from:]...)
}

// escapedLen returns how many bytes appendEscaped appends.
func escapedLen(s []byte) int {
	n := len(s)
	for _, ch := range s {
		switch {
		case ch == '"', ch == '\\', ch == '\n', ch == '\r', ch == '\t':
			n++
		case ch < ' ':
			n += len(`\u0000`) - 1
		}
	}
	return n
}

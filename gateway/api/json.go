package api

import (
	"encoding/base64"
	"unicode/utf8"

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
	b = r.Version.AppendText(b)
	return append(b, `"}`...)
}

// AppendValue appends the members of an object that show a value: ,"value":"…" as text where it is UTF-8, else as base64
// with ,"encoding":"base64".
func AppendValue(b, value []byte) []byte {
	b = append(b, `,"value":`...)
	if utf8.Valid(value) {
		return AppendString(b, value)
	}
	b = append(b, '"')
	b = base64.StdEncoding.AppendEncode(b, value)
	return append(b, `","encoding":"base64"`...)
}

const hexDigits = "0123456789abcdef"

// AppendString appends s as a JSON string (RFC 8259): quote, backslash and the controls below space are escaped, and
// nothing else. s is UTF-8.
func AppendString[S string | []byte](b []byte, s S) []byte {
	b = append(b, '"')
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
	b = append(b, s[from:]...)
	return append(b, '"')
}

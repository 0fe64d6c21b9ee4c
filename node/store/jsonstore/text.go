package jsonstore

import (
	"bytes"
	"encoding/base64"
	"strconv"
	"unicode/utf8"
	"unsafe"

	"ringkv/node/record"
)

// base64Suffix ends the name of a field whose bytes aren't text.
const base64Suffix = "_base64"

// bytesOf looks at a string's bytes without copying them. They must not be changed.
func bytesOf(s string) []byte { return unsafe.Slice(unsafe.StringData(s), len(s)) }

// What stands for a byte in a JSON string: itself, a backslash and a letter, or nothing, because text doesn't have it.
const (
	plain   = 0
	notText = 1
)

var escapes = func() (t [256]byte) {
	for c := range 0x20 {
		t[c] = notText
	}
	t['\t'], t['\n'], t['\r'], t['"'], t['\\'] = 't', 'n', 'r', '"', '\\'
	return t
}()

// appendField appends "name":"s" to b, with s in base64 and the name marked so when s isn't readable text: not UTF-8, or
// with control characters other than tab and line ends.
func appendField(b []byte, name string, s []byte) []byte {
	b = append(b, '"')
	b = append(b, name...)
	switch {
	case record.Plain(s):
		b = append(b, `":"`...)
		b = append(b, s...)
	case isText(s):
		b = append(b, `":"`...)
		b = appendEscaped(b, s)
	default:
		b = append(b, base64Suffix+`":"`...)
		b = base64.StdEncoding.AppendEncode(b, s)
	}
	return append(b, '"')
}

func isText(s []byte) bool {
	for _, c := range s {
		if escapes[c] == notText {
			return false
		}
	}
	return utf8.Valid(s)
}

func appendEscaped(b, s []byte) []byte {
	start := 0
	for i, c := range s {
		if escapes[c] != plain {
			b = append(b, s[start:i]...)
			b = append(b, '\\', escapes[c])
			start = i + 1
		}
	}
	return append(b, s[start:]...)
}

// unescape undoes appendEscaped, and whatever else may stand between the quotes of a JSON string. Text without a backslash is returned
// as it is, uncopied.
func unescape(s []byte) ([]byte, bool) {
	i := bytes.IndexByte(s, '\\')
	if i < 0 {
		return s, true
	}
	out := make([]byte, 0, len(s))
	for i >= 0 {
		out = append(out, s[:i]...)
		if i+1 >= len(s) {
			return nil, false
		}
		if c := unescaped(s[i+1]); c != 0 {
			out, s = append(out, c), s[i+2:]
		} else {
			return unescapeSlow(out, s[i:])
		}
		i = bytes.IndexByte(s, '\\')
	}
	return append(out, s...), true
}

func unescaped(letter byte) byte {
	switch letter {
	case 't':
		return '\t'
	case 'n':
		return '\n'
	case 'r':
		return '\r'
	case '"', '\\':
		return letter
	}
	return 0
}

// unescapeSlow is for escapes that this package doesn't write.
func unescapeSlow(out, rest []byte) ([]byte, bool) {
	s, ok := unquote(rest)
	return append(out, s...), ok
}

func appendUint(b []byte, n uint64) []byte { return strconv.AppendUint(b, n, 10) }

const hexDigits = "0123456789abcdef"

func appendHex32(b []byte, v uint32) []byte {
	for shift := 28; shift >= 0; shift -= 4 {
		b = append(b, hexDigits[v>>shift&15])
	}
	return b
}

// stringOf looks at bytes as a string without copying them. They must not change while it is used.
func stringOf(b []byte) string { return unsafe.String(unsafe.SliceData(b), len(b)) }

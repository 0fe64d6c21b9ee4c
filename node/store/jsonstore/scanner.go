package jsonstore

import (
	"bytes"
	"encoding/base64"

	"ringkv/hashring"
	"ringkv/node/record"
)

// A scanner takes a line apart from its front.
type scanner struct{ rest []byte }

func (s *scanner) literal(want string) bool {
	if len(s.rest) < len(want) || string(s.rest[:len(want)]) != want {
		return false
	}
	s.rest = s.rest[len(want):]
	return true
}

// head reads up to and with the place, without its closing bracket.
func (s *scanner) head() (l line, ok bool) {
	if s.literal(`{"slot":`) {
		slot, ok := s.uint()
		l.kind, l.slot = kindState, int(min(slot, hashring.Slots))
		switch {
		case s.literal(`,"repaired":true`):
			l.kind = kindRepaired
		case s.literal(`,"dropped":true`):
			l.kind = kindDropped
		}
		return l, ok && s.place(&l.place)
	}
	l.kind = kindRecord
	if l.key, ok = s.string(`{"key`); !ok || !s.version(`,"version":"`, &l.version) {
		return l, false
	}
	l.deleted = s.literal(`,"deleted":true`)
	if !l.deleted && bytes.HasPrefix(s.rest, []byte(`,"type`)) {
		if l.typ, ok = s.string(`,"type`); !ok {
			return l, false
		}
	}
	l.derived = s.literal(`,"derived":true`)
	ok = s.version(`,"origin":"`, &l.origin) && s.version(`,"ballot":"`, &l.ballot)
	return l, ok && s.place(&l.place)
}

// version reads a field that may be missing: name, which begins its value, and a version.
func (s *scanner) version(name string, v *record.Version) (ok bool) {
	if !s.literal(name) {
		return true
	}
	if len(s.rest) < versionLen {
		return false
	}
	*v, ok = parseVersion(s.rest[:versionLen])
	s.rest = s.rest[versionLen:]
	return ok && s.literal(`"`)
}

func (s *scanner) place(p *place) bool {
	if !s.literal(`,"write":[`) {
		return false
	}
	var n [3]uint64
	for i := range n {
		var ok bool
		if n[i], ok = s.uint(); !ok || i < 2 && !s.literal(`,`) {
			return false
		}
	}
	*p = place{n[0], uint32(n[1]), uint32(n[2])}
	return n[1] < 1<<32 && n[2] < 1<<32
}

func (s *scanner) uint() (n uint64, ok bool) {
	i := 0
	for ; i < len(s.rest) && i < 19 && s.rest[i] >= '0' && s.rest[i] <= '9'; i++ {
		n = n*10 + uint64(s.rest[i]-'0')
	}
	s.rest = s.rest[i:]
	return n, i > 0
}

func (s *scanner) hex32() (v uint32, ok bool) {
	if len(s.rest) < 8 {
		return 0, false
	}
	for _, c := range s.rest[:8] {
		d := unhex(c)
		if d > 15 {
			return 0, false
		}
		v = v<<4 | uint32(d)
	}
	s.rest = s.rest[8:]
	return v, true
}

func unhex(c byte) byte {
	switch {
	case c >= '0' && c <= '9':
		return c - '0'
	case c >= 'a' && c <= 'f':
		return c - 'a' + 10
	}
	return 255
}

const versionLen = 16 + 1 + 16

func parseVersion(b []byte) (record.Version, bool) {
	var n [2]uint64
	if len(b) != versionLen {
		return record.Version{}, false
	}
	for i, c := range b {
		if i == 16 {
			if c != '-' {
				return record.Version{}, false
			}
			continue
		}
		d := unhex(c)
		if d > 15 {
			return record.Version{}, false
		}
		n[i/17] = n[i/17]<<4 | uint64(d)
	}
	return record.Version{HLC: n[0], Writer: n[1]}, true
}

// string reads name":"text" or name_base64":"text", where name comes with what stands before it.
func (s *scanner) string(name string) ([]byte, bool) {
	encoded, ok := s.fieldName(name)
	if !ok {
		return nil, false
	}
	end := bytes.IndexByte(s.rest, '"')
	for end > 0 && escapedAt(s.rest, end) {
		next := bytes.IndexByte(s.rest[end+1:], '"')
		if next < 0 {
			return nil, false
		}
		end += 1 + next
	}
	if end < 0 {
		return nil, false
	}
	text := s.rest[:end]
	s.rest = s.rest[end+1:]
	return decodeText(text, encoded)
}

// escapedAt reports whether an odd number of backslashes stands before b[i].
func escapedAt(b []byte, i int) bool {
	n := 0
	for n < i && b[i-1-n] == '\\' {
		n++
	}
	return n%2 == 1
}

// wholeString is string for text that ends where the input ends.
func (s *scanner) wholeString(name string) ([]byte, bool) {
	encoded, ok := s.fieldName(name)
	if !ok || len(s.rest) == 0 || s.rest[len(s.rest)-1] != '"' {
		return nil, false
	}
	return decodeText(s.rest[:len(s.rest)-1], encoded)
}

func (s *scanner) fieldName(name string) (encoded, ok bool) {
	if !s.literal(name) {
		return false, false
	}
	encoded = s.literal(base64Suffix)
	return encoded, s.literal(`":"`)
}

func decodeText(text []byte, encoded bool) ([]byte, bool) {
	if !encoded {
		return unescape(text)
	}
	out, err := base64.StdEncoding.AppendDecode(make([]byte, 0, base64.StdEncoding.DecodedLen(len(text))), text)
	return out, err == nil
}

package jsonstore

import (
	"hash/crc32"

	"ringkv/hashring"
)

// decodeLine reads one line without its line end. What it can't read or believe has ok false.
//
// Lines as this package writes them are read by hand, many times faster than encoding/json does; a line that is written in
// another way but says the same is read as well. The checksums decide, not the spelling.
// scratch is memory that may be overwritten; with headBytes of it nothing is allocated for a line without escapes.
func decodeLine(raw, scratch []byte) line {
	if l := decodeOwn(raw, scratch); l.headOK {
		return l
	}
	if len(raw) == 0 || raw[0] != '{' {
		return line{}
	}
	return decodeAny(raw)
}

// suffix is what every line ends with after its value: ,"crc":"01234567"}
const suffix = len(`,"crc":"01234567"}`)

// decodeOwn reads a line as appendTo writes it.
func decodeOwn(raw, scratch []byte) line {
	s := scanner{raw}
	l, ok := s.head()
	if !ok || !s.literal(`],"head":"`) {
		return line{}
	}
	head, ok := s.hex32()
	if !ok || !s.literal(`"`) || head != l.headSum(scratch[:0]) || !l.sane() {
		return line{}
	}
	l.headOK = true
	if len(s.rest) < suffix {
		return l
	}
	tail := scanner{s.rest[len(s.rest)-suffix:]}
	value, valueOK := l.readValue(s.rest[:len(s.rest)-suffix])
	if !valueOK || !tail.literal(`,"crc":"`) {
		return l
	}
	if crc, ok := tail.hex32(); ok && tail.literal(`"}`) && crc == crc32.Update(head, castagnoli, value) {
		l.value, l.ok = value, true
	}
	return l
}

// sane rejects numbers that no line has, checksum or not.
func (l *line) sane() bool {
	return l.place.line >= 1 && l.place.line <= l.place.of && l.slot >= 0 && l.slot < hashring.Slots
}

// readValue reads what stands between the head's checksum and the line's.
func (l *line) readValue(b []byte) ([]byte, bool) {
	s := scanner{b}
	switch {
	case l.kind == kindRepaired || l.kind == kindDropped || l.deleted || l.version.IsZero() && l.kind == kindRecord && len(b) == 0:
		return nil, len(b) == 0
	case l.kind == kindState && s.literal(`,"state":`):
		return s.rest, true
	case l.kind == kindState:
		return s.wholeString(`,"state`)
	default:
		return s.wholeString(`,"value`)
	}
}

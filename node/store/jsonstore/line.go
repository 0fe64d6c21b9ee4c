package jsonstore

import (
	"encoding/binary"
	"hash/crc32"

	"ringkv/node/record"
)

// What a line is about.
const (
	kindRecord   = 'r'
	kindState    = 's' // of a slot
	kindRepaired = 'p' // a slot holds again all it should
	kindDropped  = 'd' // what earlier segments hold of a slot's records doesn't count
	kindSealed   = 'e' // the last line of a segment that is full
)

// A place says in which write to its segment a line was, and which of that write's lines it is: what a crash may have
// torn is known by it from what was durable.
type place struct {
	write    uint64 // counted from 1 in each segment
	line, of uint32
}

// A line is one line of a segment, decoded. Its slices lie in the bytes that it was decoded from.
type line struct {
	kind    byte
	place   place
	key     []byte
	version record.Version
	deleted bool
	derived bool
	origin  record.Version
	ballot  record.Version
	typ     []byte
	value   []byte // the state, for kindState
	slot    int
	seal    seal   // for kindSealed
	first   uint32 // of a record, what its entry in the index says
	headOK  bool   // all but the value can be believed
	ok      bool   // all can be believed
}

// headBytes is what headSum writes down.
const headBytes = 2 + 8 + 4 + 4 + 16 + 4 + 4 + 4 + 2*16

// The bits of a head that say which fields a record has. Those that it hasn't add nothing to its checksum.
const (
	headDeleted = 1 << iota
	headDerived
	headOrigin
	headBallot
)

func (l *line) headBits() (bits byte) {
	for i, set := range []bool{l.deleted, l.derived, !l.origin.IsZero(), !l.ballot.IsZero()} {
		bits |= boolByte(set) << i
	}
	return bits
}

// marked reports whether the record is derived, or has an origin or a ballot.
func (l *line) marked() bool { return l.headBits()&^headDeleted != 0 }

// bare reports whether the record is written without a value: a deletion, or a ballot alone.
func (l *line) bare() bool { return l.deleted || l.version.IsZero() && len(l.value) == 0 }

// newest returns the newest version that the line tells of.
func (l *line) newest() record.Version {
	v := l.version
	for _, other := range []record.Version{l.origin, l.ballot} {
		if other.After(v) {
			v = other
		}
	}
	return v
}

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// headSum is the CRC32C over all of a line but its value: over the values of the fields, not their JSON text. That it stands
// apart lets damage in a value, which is most of the bytes, be laid to its key. What it needs to write down meanwhile goes behind
// the end of scratch.
func (l *line) headSum(scratch []byte) uint32 {
	bits := l.headBits()
	b := append(scratch, l.kind, bits)
	b = binary.LittleEndian.AppendUint64(b, l.place.write)
	b = binary.LittleEndian.AppendUint32(b, l.place.line)
	b = binary.LittleEndian.AppendUint32(b, l.place.of)
	b = appendVersion(b, l.version)
	b = binary.LittleEndian.AppendUint32(b, uint32(l.slot))
	b = binary.LittleEndian.AppendUint32(b, uint32(len(l.key)))
	b = binary.LittleEndian.AppendUint32(b, uint32(len(l.typ)))
	if bits&headOrigin != 0 {
		b = appendVersion(b, l.origin)
	}
	if bits&headBallot != 0 {
		b = appendVersion(b, l.ballot)
	}
	sum := crc32.Update(0, castagnoli, b[len(scratch):])
	sum = crc32.Update(sum, castagnoli, l.key)
	return crc32.Update(sum, castagnoli, l.typ)
}

// appendTo appends the line to b as JSON with a line end.
func (l *line) appendTo(b []byte) []byte {
	if l.kind == kindRecord {
		b = l.appendRecordHead(b)
	} else {
		b = append(b, `{"slot":`...)
		b = appendUint(b, uint64(l.slot))
		switch l.kind {
		case kindRepaired:
			b = append(b, `,"repaired":true`...)
		case kindDropped:
			b = append(b, `,"dropped":true`...)
		}
	}
	b = append(b, `,"write":[`...)
	b = appendUint(b, l.place.write)
	b = append(b, ',')
	b = appendUint(b, uint64(l.place.line))
	b = append(b, ',')
	b = appendUint(b, uint64(l.place.of))
	b = append(b, `],"head":"`...)
	head := l.headSum(b)
	b = appendHex32(b, head)
	b = append(b, '"')
	b = l.appendValue(b)
	b = append(b, `,"crc":"`...)
	b = appendHex32(b, crc32.Update(head, castagnoli, l.value))
	return append(b, '"', '}', '\n')
}

func (l *line) appendRecordHead(b []byte) []byte {
	b = append(b, '{')
	b = appendField(b, "key", l.key)
	b = appendVersionField(b, `,"version":"`, l.version)
	if l.deleted {
		b = append(b, `,"deleted":true`...)
	} else if len(l.typ) > 0 {
		b = append(b, ',')
		b = appendField(b, "type", l.typ)
	}
	if l.derived {
		b = append(b, `,"derived":true`...)
	}
	b = appendVersionField(b, `,"origin":"`, l.origin)
	return appendVersionField(b, `,"ballot":"`, l.ballot)
}

// appendVersionField appends a field that is left out where the version is zero.
func appendVersionField(b []byte, name string, v record.Version) []byte {
	if v.IsZero() {
		return b
	}
	b = append(b, name...)
	return append(v.AppendText(b), '"')
}

func (l *line) appendValue(b []byte) []byte {
	switch {
	case l.kind == kindRecord && !l.bare():
		b = append(b, ',')
		return appendField(b, "value", l.value)
	case l.kind == kindState && isOneJSON(l.value):
		b = append(b, `,"state":`...)
		return append(b, l.value...)
	case l.kind == kindState:
		b = append(b, `,"state_base64":"`...)
		b = appendBase64(b, l.value)
		return append(b, '"')
	}
	return b
}

func recordLine(r record.Record, p place) line {
	l := line{
		kind: kindRecord, place: p, key: bytesOf(r.Key), version: r.Version, deleted: r.Deleted,
		derived: r.Derived, origin: r.Origin, ballot: r.Ballot,
	}
	if !r.Deleted {
		l.typ, l.value = bytesOf(r.Type), r.Value
	}
	return l
}

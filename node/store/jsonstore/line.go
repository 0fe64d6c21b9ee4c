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
	typ     []byte
	value   []byte // the state, for kindState
	slot    int
	seal    seal // for kindSealed
	headOK  bool // all but the value can be believed
	ok      bool // all can be believed
}

// headBytes is what headSum writes down.
const headBytes = 2 + 8 + 4 + 4 + 16 + 4 + 4 + 4

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// headSum is the CRC32C over all of a line but its value: over the values of the fields, not their JSON text. That it stands
// apart lets damage in a value, which is most of the bytes, be laid to its key. What it needs to write down meanwhile goes behind
// the end of scratch.
func (l *line) headSum(scratch []byte) uint32 {
	b := append(scratch, l.kind, boolByte(l.deleted))
	b = binary.LittleEndian.AppendUint64(b, l.place.write)
	b = binary.LittleEndian.AppendUint32(b, l.place.line)
	b = binary.LittleEndian.AppendUint32(b, l.place.of)
	b = appendVersion(b, l.version)
	b = binary.LittleEndian.AppendUint32(b, uint32(l.slot))
	b = binary.LittleEndian.AppendUint32(b, uint32(len(l.key)))
	b = binary.LittleEndian.AppendUint32(b, uint32(len(l.typ)))
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
		if l.kind == kindRepaired {
			b = append(b, `,"repaired":true`...)
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
	b = append(b, `,"version":"`...)
	b = l.version.AppendText(b)
	b = append(b, '"')
	if l.deleted {
		return append(b, `,"deleted":true`...)
	}
	if len(l.typ) > 0 {
		b = append(b, ',')
		b = appendField(b, "type", l.typ)
	}
	return b
}

func (l *line) appendValue(b []byte) []byte {
	switch {
	case l.kind == kindRecord && !l.deleted:
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
	l := line{kind: kindRecord, place: p, key: bytesOf(r.Key), version: r.Version, deleted: r.Deleted}
	if !r.Deleted {
		l.typ, l.value = bytesOf(r.Type), r.Value
	}
	return l
}

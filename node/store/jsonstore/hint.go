package jsonstore

import (
	"encoding/binary"
	"errors"
	"hash/crc32"

	"ringkv/hashring"
	"ringkv/node/record"
)

// A hint spares reading a segment: it lists the lines of its first bytes that were the newest of their keys and slots when it was
// written. Those left out were replaced by lines that are durable elsewhere, so their keys may have older lines than the index knows after it
// was loaded from hints: that is why an item says where its key's lines begin.
type hint struct {
	ident  string // of the segment
	size   int64  // of the segment's part that is listed
	write  uint64
	lines  uint64
	sealed bool
	newest record.Version
	items  []byte
}

const (
	hintMagic = "ringkv hint 2\n"
	hintLimit = 1 << 30
	identLen  = 16
	hintFixed = len(hintMagic) + identLen + 8 + 8 + 8 + 1 + 16
)

var errHint = errors.New("hint file can't be believed")

func (h *hint) encode() []byte {
	b := make([]byte, 0, hintFixed+len(h.items)+4)
	b = append(b, hintMagic...)
	b = append(b, h.ident...)
	b = binary.LittleEndian.AppendUint64(b, uint64(h.size))
	b = binary.LittleEndian.AppendUint64(b, h.write)
	b = binary.LittleEndian.AppendUint64(b, h.lines)
	b = append(b, boolByte(h.sealed))
	b = appendVersion(b, h.newest)
	b = append(b, h.items...)
	return appendSum(b)
}

func appendSum(b []byte) []byte {
	return binary.LittleEndian.AppendUint32(b, crc32.Checksum(b, castagnoli))
}

func boolByte(v bool) byte {
	if v {
		return 1
	}
	return 0
}

func appendVersion(b []byte, v record.Version) []byte {
	b = binary.LittleEndian.AppendUint64(b, v.HLC)
	return binary.LittleEndian.AppendUint64(b, v.Writer)
}

func readVersion(b []byte) record.Version {
	return record.Version{HLC: binary.LittleEndian.Uint64(b), Writer: binary.LittleEndian.Uint64(b[8:])}
}

func decodeHint(b []byte) (*hint, error) {
	if len(b) < hintFixed+4 || string(b[:len(hintMagic)]) != hintMagic {
		return nil, errHint
	}
	body, sum := b[:len(b)-4], binary.LittleEndian.Uint32(b[len(b)-4:])
	if crc32.Checksum(body, castagnoli) != sum {
		return nil, errHint
	}
	b = body[len(hintMagic):]
	h := &hint{ident: string(b[:identLen])}
	b = b[identLen:]
	h.size, h.write, h.lines = int64(binary.LittleEndian.Uint64(b)), binary.LittleEndian.Uint64(b[8:]), binary.LittleEndian.Uint64(b[16:])
	h.sealed = b[24] == 1
	h.newest = readVersion(b[25:])
	h.items = b[41:]
	if h.size < 0 {
		return nil, errHint
	}
	return h, nil
}

// An item is the kind, the spot, and what the index wants to know: for a record its version, its entry's first, its flags and key, for a state
// its bytes.
const (
	itemFixed   = 1 + 4 + 4 + 4
	recordFixed = 16 + 4 + 1
)

func (h *hint) add(kind byte, s spot, rest int) {
	h.items = append(h.items, kind)
	h.items = binary.LittleEndian.AppendUint32(h.items, s.off)
	h.items = binary.LittleEndian.AppendUint32(h.items, s.size)
	h.items = binary.LittleEndian.AppendUint32(h.items, uint32(rest))
}

func (h *hint) addRecord(e entry, key []byte) {
	h.add(kindRecord, e.spot, recordFixed+len(key))
	h.items = appendVersion(h.items, e.version)
	h.items = binary.LittleEndian.AppendUint32(h.items, e.first)
	h.items = append(h.items, e.flags&(flagDeleted|flagMarked))
	h.items = append(h.items, key...)
}

func (h *hint) addSlot(kind byte, slot int, s spot, state []byte) {
	h.add(kind, s, 2+len(state))
	h.items = binary.LittleEndian.AppendUint16(h.items, uint16(slot))
	h.items = append(h.items, state...)
}

// each calls fn for every item. It returns errHint at one that doesn't lie within the segment or makes no sense.
func (h *hint) each(fn func(l *line, off, size uint32)) error {
	for b := h.items; len(b) > 0; {
		if len(b) < itemFixed {
			return errHint
		}
		l := line{kind: b[0], headOK: true, ok: true}
		off, size, n := binary.LittleEndian.Uint32(b[1:]), binary.LittleEndian.Uint32(b[5:]), int(binary.LittleEndian.Uint32(b[9:]))
		b = b[itemFixed:]
		if n > len(b) || size == 0 || int64(off)+int64(size) > h.size || !l.fromItem(b[:n]) {
			return errHint
		}
		fn(&l, off, size)
		b = b[n:]
	}
	return nil
}

func (l *line) fromItem(b []byte) bool {
	if l.kind == kindRecord {
		if len(b) <= recordFixed || len(b) > recordFixed+maxKeyBytes {
			return false
		}
		flags := b[recordFixed-1]
		l.version, l.first, l.deleted, l.key = readVersion(b), binary.LittleEndian.Uint32(b[16:]), flags&flagDeleted != 0, b[recordFixed:]
		l.derived = flags&flagMarked != 0 // which mark it is, only the line says
		return true
	}
	if len(b) < 2 || l.kind != kindState && l.kind != kindRepaired && l.kind != kindDropped {
		return false
	}
	l.slot, l.value = int(binary.LittleEndian.Uint16(b)), b[2:]
	return l.slot < hashring.Slots
}

package wire

import (
	"encoding/binary"

	"ringkv/node/record"
)

// A cursor reads fields off a payload. Reading past the end sets short and yields zeros from there on, so that only the
// end of a message has to be checked.
type cursor struct {
	rest  []byte
	short bool
}

// take returns the next n bytes, which still belong to the payload.
func (c *cursor) take(n int) []byte {
	if n > len(c.rest) {
		c.rest, c.short = nil, true
		return nil
	}
	head := c.rest[:n:n]
	c.rest = c.rest[n:]
	return head
}

func (c *cursor) uint8() uint8 {
	if b := c.take(1); b != nil {
		return b[0]
	}
	return 0
}

func (c *cursor) uint16() int {
	if b := c.take(2); b != nil {
		return int(binary.LittleEndian.Uint16(b))
	}
	return 0
}

func (c *cursor) uint32() uint32 {
	if b := c.take(4); b != nil {
		return binary.LittleEndian.Uint32(b)
	}
	return 0
}

func (c *cursor) uint64() uint64 {
	if b := c.take(8); b != nil {
		return binary.LittleEndian.Uint64(b)
	}
	return 0
}

func (c *cursor) version() record.Version {
	return record.Version{HLC: c.uint64(), Writer: c.uint64()}
}

// short16 returns the bytes behind a length of two bytes.
func (c *cursor) short16() []byte { return c.take(c.uint16()) }

func appendVersion(b []byte, v record.Version) []byte {
	b = binary.LittleEndian.AppendUint64(b, v.HLC)
	return binary.LittleEndian.AppendUint64(b, v.Writer)
}

func appendShort16(b []byte, s string) []byte {
	b = binary.LittleEndian.AppendUint16(b, uint16(len(s)))
	return append(b, s...)
}

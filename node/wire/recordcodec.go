package wire

import (
	"bytes"
	"encoding/binary"
	"fmt"

	"ringkv/node/record"
)

// What is said of a record in one byte.
const (
	markDeleted = 1 << iota
	markDerived
	markOrigin // its origin follows
	markBallot // its ballot follows
)

// appendHead appends all of r but its key, type and value.
func appendHead(b []byte, r *record.Record) []byte {
	var marks byte
	if r.Deleted {
		marks |= markDeleted
	}
	if r.Derived {
		marks |= markDerived
	}
	if !r.Origin.IsZero() {
		marks |= markOrigin
	}
	if !r.Ballot.IsZero() {
		marks |= markBallot
	}
	b = appendVersion(append(b, marks), r.Version)
	if marks&markOrigin != 0 {
		b = appendVersion(b, r.Origin)
	}
	if marks&markBallot != 0 {
		b = appendVersion(b, r.Ballot)
	}
	return b
}

func (c *cursor) head(r *record.Record) {
	marks := c.uint8()
	r.Deleted, r.Derived = marks&markDeleted != 0, marks&markDerived != 0
	r.Version = c.version()
	if marks&markOrigin != 0 {
		r.Origin = c.version()
	}
	if marks&markBallot != 0 {
		r.Ballot = c.version()
	}
}

// appendRecord appends all of r but its key. A large value is returned instead.
func appendRecord(b []byte, r *record.Record) (frame, value []byte) {
	b = appendHead(b, r)
	b = appendShort16(b, r.Type)
	b = binary.LittleEndian.AppendUint32(b, uint32(len(r.Value)))
	if len(r.Value) >= largeValue {
		return b, r.Value
	}
	return append(b, r.Value...), nil
}

func (c *cursor) record(r *record.Record, owned bool, maxValue int, in *intern) error {
	c.head(r)
	contentType := c.short16()
	if len(contentType) > MaxType {
		return errTypeTooLong
	}
	length := c.uint32()
	if int64(length) > int64(maxValue) {
		return fmt.Errorf("%w: %d bytes, %d are accepted", errValueTooLarge, length, maxValue)
	}
	value := c.take(int(length))
	if c.short || len(c.rest) > 0 {
		return errMalformed // before anything is allocated for it
	}
	r.Type = in.contentType(contentType)
	if r.Value = value; !owned {
		r.Value = bytes.Clone(value)
	}
	return nil
}

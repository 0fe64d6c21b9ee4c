package wire

import (
	"encoding/binary"
	"fmt"
	"math"

	"ringkv/hashring/placement"
)

// What is said of a request in one byte.
const (
	flagHeadOnly = 1 << iota
	flagDigest   // a digest follows
	flagQueried
)

// carriesRecord reports whether requests of this op bring a record.
func (op Op) carriesRecord() bool {
	return op == OpWrite || op == OpWriteBack || op == OpAccept || op == OpSync
}

// carriesBallot reports whether requests of this op name a ballot.
func (op Op) carriesBallot() bool { return op == OpPrepare || op == OpGuard || op == OpFloor }

// carriesBase reports whether requests of this op name the version that theirs follows.
func (op Op) carriesBase() bool { return op.carriesRecord() || op == OpPrepare }

// ofSlot reports whether requests of this op are about a slot: always, or where they name no key.
func (op Op) ofSlot() bool { return op == OpPull || op.ofSlotOnly() }

func (op Op) ofSlotOnly() bool {
	return op == OpGuard || op == OpFloor || op == OpSlot || op == OpFetch
}

// check returns why req can't be sent to someone who accepts values of maxValue bytes, nil if it can.
func (req *Request) check(maxValue int) error {
	switch {
	case req.Op < OpRead || req.Op > lastOp:
		return fmt.Errorf("there is no operation %d", req.Op)
	case len(req.Key) == 0 && !req.Op.ofSlot() || len(req.Key) > MaxKey || len(req.After) > MaxKey:
		return errKeyLength
	case len(req.Key) > 0 && req.Op.ofSlotOnly():
		return errKeyOfSlot
	case req.Slot < 0 || req.Slot > math.MaxUint16:
		return errSlot
	case req.Config == nil:
		return errNoConfig
	case len(req.Record.Type) > MaxType:
		return errTypeTooLong
	case len(req.Record.Value) > maxValue:
		return fmt.Errorf("%w: %d bytes, %d are accepted", errValueTooLarge, len(req.Record.Value), maxValue)
	}
	if err := req.checkKeys(); err != nil {
		return err
	}
	return checkConfig(req.Config)
}

func checkConfig(config *placement.Config) error {
	if len(config.Owners) > MaxOwners {
		return errTooManyOwners
	}
	for _, id := range config.Owners {
		if len(id) > MaxNodeID {
			return errNodeIDTooLong
		}
	}
	return nil
}

// size is what req takes on the wire, roughly.
func (req *Request) size() int {
	size := 128 + len(req.Key) + len(req.After) + len(req.Record.Value)
	for _, key := range req.Keys {
		size += 2 + len(key)
	}
	return size
}

// appendRequest appends req as a frame. What it returns as value, if anything, belongs behind that.
func appendRequest(b []byte, id uint64, req *Request) (frame, value []byte) {
	start := len(b)
	b = binary.LittleEndian.AppendUint64(beginFrame(b, kindRequest), id)
	var flags byte
	if req.Queried {
		flags |= flagQueried
	}
	if req.HeadOnly {
		flags |= flagHeadOnly
	}
	if req.Digest != 0 {
		flags |= flagDigest
	}
	b = append(b, byte(req.Op), flags)
	b = appendConfig(b, req.Config)
	b = appendShort16(b, req.Key)
	if req.Op.ofSlot() {
		b = binary.LittleEndian.AppendUint16(b, uint16(req.Slot))
		b = appendShort16(b, req.After)
		if req.Digest != 0 {
			b = binary.LittleEndian.AppendUint64(b, req.Digest)
		}
	}
	if req.Op == OpFetch {
		b = appendKeys(b, req.Keys)
	}
	if req.Op.carriesBallot() {
		b = appendVersion(b, req.Ballot)
	}
	if req.Op.carriesBase() {
		b = appendVersion(b, req.Base)
	}
	if req.Op.carriesRecord() {
		b, value = appendRecord(b, &req.Record)
	}
	return endFrame(b, start, value), value
}

// decodeRequest decodes the body behind the id. The key, the record and the config don't share memory with body, unless
// owned says that nobody else uses it.
func decodeRequest(body []byte, owned bool, maxValue int, in *intern, req *Request) error {
	c := cursor{rest: body}
	req.Op = Op(c.uint8())
	if req.Op < OpRead || req.Op > lastOp {
		return errUnknownOp // its body may be of any form: not looked at
	}
	flags := c.uint8()
	req.HeadOnly = flags&flagHeadOnly != 0
	req.Queried = flags&flagQueried != 0
	var err error
	if req.Config, err = in.config(c.short16()); err != nil {
		return err
	}
	key := c.short16()
	switch {
	case !c.short && (len(key) == 0 && !req.Op.ofSlot() || len(key) > MaxKey):
		return errKeyLength
	case len(key) > 0 && req.Op.ofSlotOnly():
		return errKeyOfSlot
	}
	req.Key = string(key)
	if req.Op.ofSlot() {
		req.Slot = c.uint16()
		after := c.short16()
		if len(after) > MaxKey {
			return errKeyLength
		}
		req.After = string(after)
		if flags&flagDigest != 0 {
			req.Digest = c.uint64()
		}
	}
	if req.Op == OpFetch {
		if req.Keys, err = c.keys(); err != nil {
			return err
		}
	}
	if req.Op.carriesBallot() {
		req.Ballot = c.version()
	}
	if req.Op.carriesBase() {
		req.Base = c.version()
	}
	if req.Op.carriesRecord() {
		req.Record.Key = req.Key
		if err := c.record(&req.Record, owned, maxValue, in); err != nil {
			return err
		}
	}
	if c.short || len(c.rest) > 0 {
		return errMalformed
	}
	if req.Config == nil {
		return errNoConfig
	}
	return nil
}

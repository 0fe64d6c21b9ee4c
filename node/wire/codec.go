package wire

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"math"
	"unicode/utf8"

	"ringkv/hashring/placement"
	"ringkv/node/record"
)

// Bounds of what a message may hold. The bound of a value is an option of Pool and Server.
const (
	MaxKey    = 1024 // bytes
	MaxNodeID = 128  // bytes
	MaxOwners = 16
	MaxType   = 256  // bytes
	MaxDetail = 1024 // bytes; longer ones are cut
)

// overhead is more than any message needs besides its value.
const overhead = 8 << 10

// maxConfig is the bytes of the longest config.
const maxConfig = 2 + 8 + 1 + MaxOwners*(1+MaxNodeID)

// frameLimit is the longest payload that is taken from someone who sends values of maxValue bytes: such a value, or a page
// of a slot without values, and a slot's history.
func frameLimit(maxValue int) int { return max(maxValue, maxPage) + MaxHistory*maxConfig + overhead }

var (
	errMalformed     = errors.New("the message is cut short, or goes on behind its end")
	errKeyLength     = fmt.Errorf("the key must have 1 to %d bytes", MaxKey)
	errKeyOfSlot     = errors.New("a question about a slot names a key")
	errNoKeys        = errors.New("a question about some keys of a slot names none")
	errTooManyKeys   = fmt.Errorf("a question about some keys of a slot names more than %d", MaxPage)
	errTypeTooLong   = fmt.Errorf("the content type is longer than %d bytes", MaxType)
	errValueTooLarge = errors.New("the value is larger than -max-value")
	errTooManyOwners = fmt.Errorf("the config has more than %d owners", MaxOwners)
	errNodeIDTooLong = fmt.Errorf("a node id is longer than %d bytes", MaxNodeID)
	errSlot          = errors.New("there is no such slot")
	errNoConfig      = errors.New("the request names no config")
	errUnknownOp     = errors.New("this node doesn't know that operation: it may be older than the asker")
)

const (
	flagHeadOnly = 1 << iota // in a request
	flagRecord               // in a response: there is a record
	flagVersion              // in a response: there is a version
	flagPulled               // in a response: there is what was pulled
	flagFirm                 // in a response
	flagVirtual              // in a response
	flagDigest               // in a request
)

const (
	flagQueried  = 1 << 7 // in a request
	flagAccepted = 1 << 6 // in a response: HadAccepted
	flagNever    = 1 << 7 // in a response: HadNever
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

func (h Had) flag() byte {
	switch h {
	case HadAccepted:
		return flagAccepted
	case HadNever:
		return flagNever
	}
	return 0
}

// hadOf is what the flags of a response say. Both at once say nothing.
func hadOf(flags byte) Had {
	switch flags & (flagAccepted | flagNever) {
	case flagAccepted:
		return HadAccepted
	case flagNever:
		return HadNever
	}
	return HadUnknown
}

// check returns why resp can't be sent to someone who accepts values of maxValue bytes, nil if it can.
func (resp *Response) check(maxValue int) error {
	if n := len(resp.Record.Value); n > maxValue {
		return fmt.Errorf("%w of the asker: %d bytes, %d are accepted", errValueTooLarge, n, maxValue)
	}
	if len(resp.Record.Type) > MaxType {
		return errTypeTooLong
	}
	if resp.Config != nil {
		if err := checkConfig(resp.Config); err != nil {
			return err
		}
	}
	if resp.Pulled != nil {
		return resp.Pulled.check(maxValue)
	}
	return nil
}

// valueBytes is what the values that resp brings take on the wire.
func (resp *Response) valueBytes() int {
	if resp.Pulled == nil {
		return len(resp.Record.Value)
	}
	return len(resp.Record.Value) + resp.Pulled.size()
}

// appendResponse appends resp as a frame. What it returns as value, if anything, belongs behind that.
func appendResponse(b []byte, id uint64, resp *Response) (frame, value []byte) {
	start := len(b)
	b = binary.LittleEndian.AppendUint64(beginFrame(b, kindResponse), id)
	var flags byte
	if !resp.Record.Version.IsZero() || !resp.Record.Ballot.IsZero() {
		flags |= flagRecord
	}
	if resp.Firm {
		flags |= flagFirm
	}
	if resp.Virtual {
		flags |= flagVirtual
	}
	flags |= resp.Had.flag()
	if !resp.Version.IsZero() {
		flags |= flagVersion
	}
	if resp.Pulled != nil {
		flags |= flagPulled
	}
	b = append(b, byte(resp.Status), flags)
	b = appendConfig(b, resp.Config)
	b = appendShort16(b, cutText(resp.Detail))
	if resp.Pulled != nil {
		b = appendPulled(b, resp.Pulled)
	}
	if flags&flagVersion != 0 {
		b = appendVersion(b, resp.Version)
	}
	if flags&flagRecord != 0 {
		b, value = appendRecord(b, &resp.Record)
	}
	return endFrame(b, start, value), value
}

// decodeResponse is to appendResponse as decodeRequest is to appendRequest. Record.Key is left to the asker, who knows it.
func decodeResponse(body []byte, owned bool, maxValue int, in *intern, resp *Response) error {
	c := cursor{rest: body}
	resp.Status = Status(c.uint8())
	flags := c.uint8()
	resp.Firm, resp.Virtual = flags&flagFirm != 0, flags&flagVirtual != 0
	resp.Had = hadOf(flags)
	var err error
	if resp.Config, err = in.config(c.short16()); err != nil {
		return err
	}
	detail := c.short16()
	resp.Detail = cutText(string(detail[:min(len(detail), MaxDetail+utf8.UTFMax)]))
	if flags&flagPulled != 0 {
		if resp.Pulled, err = c.pulled(maxValue, in); err != nil {
			return err
		}
	}
	if flags&flagVersion != 0 {
		resp.Version = c.version()
	}
	if flags&flagRecord != 0 {
		if err := c.record(&resp.Record, owned, maxValue, in); err != nil {
			return err
		}
	}
	if c.short || len(c.rest) > 0 {
		return errMalformed
	}
	if resp.Status < OK || resp.Status > Failed { // of a later node: it may have stored the record or not
		resp.Detail = cutText(fmt.Sprintf("the node answered with status %d, which isn't known here: %s", resp.Status, resp.Detail))
		resp.Status = Failed
	}
	return nil
}

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

// cutText cuts s to MaxDetail bytes, not within a character.
func cutText(s string) string {
	if len(s) <= MaxDetail {
		return s
	}
	end := MaxDetail
	for end > 0 && !utf8.RuneStart(s[end]) {
		end--
	}
	return s[:end]
}

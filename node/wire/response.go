package wire

import (
	"encoding/binary"
	"fmt"
	"unicode/utf8"
)

// What is said of a response in one byte.
const (
	flagRecord  = 1 << iota // a record follows
	flagVersion             // a version follows
	flagPulled              // what was pulled follows
	flagFirm
	flagVirtual
	flagAccepted // HadAccepted
	flagNever    // HadNever
	flagFetched
)

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
	if resp.Fetched {
		flags |= flagFetched
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
	resp.Firm, resp.Virtual, resp.Fetched = flags&flagFirm != 0, flags&flagVirtual != 0, flags&flagFetched != 0
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

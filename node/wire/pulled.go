package wire

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"

	"ringkv/hashring/placement"
	"ringkv/node/record"
)

// Bounds of what one answer to a pull holds.
const (
	MaxPage    = 512 // records
	MaxHistory = 128 // configs
	maxPage    = MaxPage * (MaxKey + MaxType + 96)
)

var (
	errPageTooLong    = fmt.Errorf("a page of a slot has more than %d records", MaxPage)
	errHistoryTooLong = fmt.Errorf("a slot's history has more than %d configs", MaxHistory)
	errEmptyPage      = errors.New("a page of a slot has no records, and says that there are more")
	errNoRecord       = errors.New("a record of a page has no key, or neither version nor ballot")
)

const (
	pulledMore = 1 << iota
	pulledSame
)

// size is what p takes on the wire, without its configs.
func (p *Pulled) size() int {
	size := 0
	for i := range p.Records {
		r := &p.Records[i]
		size += 96 + len(r.Key) + len(r.Type) + len(r.Value)
	}
	return size
}

// check returns why p can't be sent to someone who accepts values of maxValue bytes, nil if it can.
func (p *Pulled) check(maxValue int) error {
	switch {
	case len(p.Node) > MaxNodeID:
		return errNodeIDTooLong
	case len(p.History) > MaxHistory:
		return errHistoryTooLong
	case len(p.Records) > MaxPage:
		return errPageTooLong
	case p.size() > max(maxValue, maxPage)+overhead/2:
		return fmt.Errorf("a page of a slot has %d bytes, more than the asker accepts", p.size())
	}
	for _, config := range append([]*placement.Config{p.Settled}, p.History...) {
		if config == nil {
			continue
		}
		if err := checkConfig(config); err != nil {
			return err
		}
	}
	return nil
}

// appendPulled appends p. Records with values are few and small enough for one frame: the sender sees to that.
func appendPulled(b []byte, p *Pulled) []byte {
	var flags byte
	if p.More {
		flags |= pulledMore
	}
	if p.Same {
		flags |= pulledSame
	}
	b = appendShort16(append(b, flags), p.Node)
	b = appendConfig(b, p.Settled)
	b = appendVersion(appendVersion(b, p.Guard), p.Floor)
	b = binary.LittleEndian.AppendUint64(b, p.Digest)
	b = append(b, byte(len(p.History)))
	for _, config := range p.History {
		b = appendConfig(b, config)
	}
	b = binary.LittleEndian.AppendUint16(b, uint16(len(p.Records)))
	for i := range p.Records {
		r := &p.Records[i]
		b = appendShort16(appendHead(appendShort16(b, r.Key), r), r.Type)
		b = append(binary.LittleEndian.AppendUint32(b, uint32(len(r.Value))), r.Value...)
	}
	return b
}

// pulled decodes what appendPulled appended. It shares no memory with the body.
func (c *cursor) pulled(maxValue int, in *intern) (*Pulled, error) {
	flags := c.uint8()
	p := &Pulled{More: flags&pulledMore != 0, Same: flags&pulledSame != 0}
	node := c.short16()
	if len(node) > MaxNodeID {
		return nil, errNodeIDTooLong
	}
	p.Node = string(node)
	var err error
	if p.Settled, err = in.config(c.short16()); err != nil {
		return nil, err
	}
	p.Guard, p.Floor, p.Digest = c.version(), c.version(), c.uint64()
	configs := int(c.uint8())
	if configs > MaxHistory {
		return nil, errHistoryTooLong
	}
	p.History = make([]*placement.Config, configs)
	for i := range p.History {
		if p.History[i], err = in.config(c.short16()); err != nil {
			return nil, err
		}
		if p.History[i] == nil {
			return nil, errNoConfig
		}
	}
	records := c.uint16()
	if records > MaxPage {
		return nil, errPageTooLong
	}
	for range records {
		r, err := c.pulledRecord(maxValue, in)
		if err != nil {
			return nil, err
		}
		p.Records = append(p.Records, r)
	}
	if p.More && len(p.Records) == 0 {
		return nil, errEmptyPage
	}
	return p, nil
}

func (c *cursor) pulledRecord(maxValue int, in *intern) (record.Record, error) {
	r := record.Record{Key: string(c.short16())}
	c.head(&r)
	contentType := c.short16()
	length := c.uint32()
	switch {
	case len(contentType) > MaxType:
		return r, errTypeTooLong
	case int64(length) > int64(maxValue):
		return r, fmt.Errorf("%w: %d bytes, %d are accepted", errValueTooLarge, length, maxValue)
	}
	value := c.take(int(length))
	if c.short {
		return r, errMalformed
	}
	if r.Key == "" || len(r.Key) > MaxKey || r.Version.IsZero() && r.Ballot.IsZero() {
		return r, errNoRecord
	}
	r.Type = in.contentType(contentType)
	if len(value) > 0 {
		r.Value = bytes.Clone(value)
	}
	return r, nil
}

package jsonstore

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"

	"ringkv/node/store/disk"
)

const (
	headerLimit = 4 << 10
	sealLimit   = 512
)

// inspect opens a segment and reads its header and its last line.
func (s *Store) inspect(number int) (*file, error) {
	opened, err := s.disk.Open(segmentName(number))
	if err != nil {
		return nil, err
	}
	f := &file{segment: &segment{number: number, file: opened}}
	if err := s.readEnds(f); err != nil {
		return nil, errors.Join(fmt.Errorf("read %s: %w", f.name(), err), opened.Close())
	}
	return f, nil
}

func (s *Store) readEnds(f *file) (err error) {
	if f.bytes, err = f.file.Size(); err != nil {
		return err
	}
	start := make([]byte, min(f.bytes, headerLimit))
	if err := disk.ReadFull(f.file, start, 0); err != nil {
		return err
	}
	if err := s.readHeader(f, start); err != nil {
		return err
	}
	end := make([]byte, min(f.bytes, sealLimit))
	if err := disk.ReadFull(f.file, end, f.bytes-int64(len(end))); err != nil {
		return err
	}
	f.sealed = endsWithSeal(end)
	return nil
}

func (s *Store) readHeader(f *file, start []byte) error {
	raw, _, found := bytes.Cut(start, []byte{'\n'})
	h, ok := decodeHeader(raw)
	if newer(raw) {
		return fmt.Errorf("%w (its format is newer than %d)", ErrNewer, format)
	}
	if !found || !ok {
		return s.withoutHeader(f)
	}
	switch {
	case h.Disk != s.options.Disk:
		return fmt.Errorf("%w (it is of node %s, disk %s; this is node %s, disk %s)", ErrForeign, h.Node, h.Disk, s.options.Node, s.options.Disk)
	case h.Segment != f.number:
		return fmt.Errorf("%w (it is segment %d under another name)", ErrForeign, h.Segment)
	}
	f.header, f.known, f.body = h, true, int64(len(raw)+1)
	f.from, f.ident, f.compacted = h.From, h.ID, h.Compacted
	v, _ := parseVersion([]byte(h.MaxVersion))
	s.observe(v)
	return nil
}

// newer reports whether raw is a header of a later format, whatever its checksum is made over.
func newer(raw []byte) bool {
	var h struct {
		Ringkv string
		Format int
	}
	return json.Unmarshal(raw, &h) == nil && h.Ringkv == "segment" && h.Format > format
}

// withoutHeader decides where the lines begin when the header can't be read: at the front if there is any line that
// can be read, and else there are none.
func (s *Store) withoutHeader(f *file) error {
	f.body = f.bytes
	in := newLines(f.file, 0, f.bytes)
	for {
		raw, _, err := in.next()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
		if in.decode(raw).headOK {
			f.body = 0
			return nil
		}
	}
}

func endsWithSeal(end []byte) bool {
	if len(end) == 0 || end[len(end)-1] != '\n' {
		return false
	}
	end = end[:len(end)-1]
	l := decodeLine(end[bytes.LastIndexByte(end, '\n')+1:], nil)
	return l.kind == kindSealed && l.ok
}

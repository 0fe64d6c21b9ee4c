package jsonstore

import (
	"crypto/rand"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"hash/crc32"

	"ringkv/node/record"
)

// format is the version of the files that this package writes, and the newest that it reads.
const format = 2

// A header is the first line of a segment.
type header struct {
	Ringkv     string `json:"ringkv"` // "segment"
	Format     int    `json:"format"`
	Node       string `json:"node"`
	Disk       string `json:"disk"`
	Segment    int    `json:"segment"`
	From       int    `json:"from"`      // it stands for the segments From to Segment
	Compacted  bool   `json:"compacted"` // its lines were copied from others, so their places say nothing here
	ID         string `json:"id"`        // random; another one each time a segment of this number is written
	MaxVersion string `json:"max_version"`
	CRC        string `json:"crc"`
}

// A seal says, in the last line of a segment, that the segment is whole and that a later one was there.
type seal struct {
	Sealed     bool   `json:"sealed"`
	Lines      uint64 `json:"lines"` // between the header and this
	MaxVersion string `json:"max_version"`
	CRC        string `json:"crc"`
}

func (h header) sum() string {
	return fieldSum(h.Ringkv, h.Format, h.Node, h.Disk, h.Segment, h.From, h.Compacted, h.ID, h.MaxVersion)
}

func (s seal) sum() string { return fieldSum("seal", s.Lines, s.MaxVersion) }

// fieldSum is a CRC32C over fields, each quoted so that none runs into the next.
func fieldSum(fields ...any) string {
	text := ""
	for _, f := range fields {
		text += fmt.Sprintf("%q,", fmt.Sprint(f))
	}
	return string(appendHex32(nil, crc32.Checksum([]byte(text), castagnoli)))
}

func newHeader(o *Options, number, from int, compacted bool, newest record.Version) header {
	id := make([]byte, 8)
	rand.Read(id) // never fails, says its documentation
	h := header{
		Ringkv: "segment", Format: format, Node: o.Node, Disk: o.Disk, Segment: number, From: from, Compacted: compacted,
		ID: hex.EncodeToString(id), MaxVersion: newest.String(),
	}
	h.CRC = h.sum()
	return h
}

// jsonLine is for lines that are rare.
func jsonLine(v any) ([]byte, error) {
	b, err := json.Marshal(v)
	if err != nil {
		return nil, fmt.Errorf("encode a segment's own line: %w", err)
	}
	return append(b, '\n'), nil
}

// decodeHeader reads a segment's first line; ok is false when it can't be believed.
func decodeHeader(raw []byte) (h header, ok bool) {
	if json.Unmarshal(raw, &h) != nil || h.Ringkv != "segment" || h.CRC != h.sum() {
		return header{}, false
	}
	return h, true
}

func newSeal(lines uint64, newest record.Version) seal {
	s := seal{Sealed: true, Lines: lines, MaxVersion: newest.String()}
	s.CRC = s.sum()
	return s
}

func decodeSealed(j *lineJSON) line {
	s := seal{true, j.Lines, j.MaxVersion, j.CRC}
	good := s.CRC == s.sum()
	return line{kind: kindSealed, seal: s, headOK: good, ok: good}
}

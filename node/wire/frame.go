package wire

import (
	"bufio"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
)

// A frame is a header of 8 bytes (length of the payload, CRC32C of the payload; little-endian) and the payload: a kind,
// and for requests and responses an id of 8 bytes and a body. Many frames travel in one write.
const (
	headerSize = 8
	idSize     = 8
	readBuffer = 32 << 10
)

// A kind says what a frame is.
type kind uint8

const (
	kindRequest  kind = 1 + iota // gateway or node to node: id, op, body
	kindResponse                 // the answer: id, body
	kindPing                     // to be answered by a pong at once
	kindPong
	kindLeaving // from a node that shuts down: send nothing new, close once all is answered
)

var (
	errFrameLength = errors.New("a frame's length is out of bounds")
	errFrameSum    = errors.New("a frame's checksum is wrong")
	errFrameKind   = errors.New("a frame is of an unknown kind")
)

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// beginFrame appends an empty header and the kind to b. What is appended until endFrame is the payload.
func beginFrame(b []byte, k kind) []byte {
	return append(b, 0, 0, 0, 0, 0, 0, 0, 0, byte(k))
}

// endFrame fills in the header of the frame that begins at b[start] and goes on, behind b, with value.
func endFrame(b []byte, start int, value []byte) []byte {
	payload := b[start+headerSize:]
	sum := crc32.Checksum(payload, castagnoli)
	if len(value) > 0 {
		sum = crc32.Update(sum, castagnoli, value)
	}
	binary.LittleEndian.PutUint32(b[start:], uint32(len(payload)+len(value)))
	binary.LittleEndian.PutUint32(b[start+4:], sum)
	return b
}

// appendSignal appends a frame that is its kind alone.
func appendSignal(b []byte, k kind) []byte {
	start := len(b)
	return endFrame(beginFrame(b, k), start, nil)
}

// A frameReader cuts a stream into frames.
type frameReader struct {
	buffered *bufio.Reader
	max      int // bytes of the longest payload that is accepted
	used     int // bytes of buffered that the last payload lies in
}

func newFrameReader(r io.Reader, max int) *frameReader {
	return &frameReader{buffered: bufio.NewReaderSize(r, readBuffer), max: max}
}

// next returns the payload of the next frame. Unless owned is true it is valid until the following call only. The error
// is io.EOF when the stream ends between two frames.
func (f *frameReader) next() (payload []byte, owned bool, err error) {
	if err := f.release(); err != nil {
		return nil, false, err
	}
	header, err := f.buffered.Peek(headerSize)
	if err != nil {
		return nil, false, cutShort(len(header), err)
	}
	length, sum := binary.LittleEndian.Uint32(header), binary.LittleEndian.Uint32(header[4:])
	if length == 0 || int64(length) > int64(f.max) {
		return nil, false, fmt.Errorf("%w: %d bytes, at most %d are accepted", errFrameLength, length, f.max)
	}
	if payload, owned, err = f.payload(int(length)); err != nil {
		return nil, false, err
	}
	if crc32.Checksum(payload, castagnoli) != sum {
		return nil, false, errFrameSum
	}
	return payload, owned, nil
}

// payload returns the length bytes behind the header: in the buffer where they fit, in memory of their own where not.
func (f *frameReader) payload(length int) ([]byte, bool, error) {
	if headerSize+length <= f.buffered.Size() {
		whole, err := f.buffered.Peek(headerSize + length)
		if err != nil {
			return nil, false, cutShort(len(whole), err)
		}
		f.used = headerSize + length
		return whole[headerSize:], false, nil
	}
	if _, err := f.buffered.Discard(headerSize); err != nil {
		return nil, false, err
	}
	own := make([]byte, length)
	if n, err := io.ReadFull(f.buffered, own); err != nil {
		return nil, false, cutShort(headerSize+n, err)
	}
	return own, true, nil
}

func (f *frameReader) release() error {
	_, err := f.buffered.Discard(f.used)
	f.used = 0
	return err
}

// more reports whether a whole frame lies in the buffer already, so that next won't wait.
func (f *frameReader) more() bool {
	rest := f.buffered.Buffered() - f.used
	if rest < headerSize {
		return false
	}
	ahead, err := f.buffered.Peek(f.used + headerSize)
	if err != nil {
		return false
	}
	return uint64(rest) >= headerSize+uint64(binary.LittleEndian.Uint32(ahead[f.used:]))
}

// cutShort turns the end of a stream within a frame into io.ErrUnexpectedEOF.
func cutShort(got int, err error) error {
	if got > 0 && errors.Is(err, io.EOF) {
		return io.ErrUnexpectedEOF
	}
	return err
}

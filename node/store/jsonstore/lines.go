package jsonstore

import (
	"bytes"
	"errors"
	"io"

	"ringkv/node/store/disk"
)

const readChunk = 1 << 20

// lines reads the lines of a file one after the other.
type lines struct {
	file disk.File
	size int64 // where reading ends
	off  int64 // of what next will return
	buf  []byte
	from int // of buf, what hasn't been returned yet
	read int64

	scratch [headBytes]byte
}

func newLines(f disk.File, from, size int64) *lines {
	return &lines{file: f, size: size, off: from, read: from}
}

// next returns a line and where it begins. The line ends with its line end, unless the file ends before. The bytes are
// valid until the next call. At the end it returns io.EOF. Any other error is the disk's.
func (l *lines) next() (raw []byte, off int64, err error) {
	searched := 0
	for {
		rest := l.buf[l.from:]
		if i := bytes.IndexByte(rest[searched:], '\n'); i >= 0 {
			return l.take(searched + i + 1)
		}
		searched = len(rest)
		if l.read == l.size {
			if searched == 0 {
				return nil, l.off, io.EOF
			}
			return l.take(searched)
		}
		if err := l.fill(); err != nil {
			return nil, l.off, err
		}
	}
}

// decode reads a line that next has returned. A line without its end is torn, whatever it says.
func (l *lines) decode(raw []byte) line {
	body, whole := bytes.CutSuffix(raw, []byte{'\n'})
	if !whole {
		return line{}
	}
	return decodeLine(body, l.scratch[:])
}

// lineEnd returns where the second of two lines begins that have become one because the line end between them is damaged, 0 when that isn't so.
func (l *lines) lineEnd(raw []byte, all *line) int {
	if all.ok {
		return 0
	}
	for n := 2; n < len(raw); n++ {
		i := bytes.Index(raw[n:], []byte(`{"`))
		if i < 0 {
			return 0
		}
		if n += i; raw[n-2] == '}' && l.decode(raw[n:]).ok {
			return n
		}
	}
	return 0
}

// decodeDamaged reads a line whose line end is damaged. It is known what it was about.
func (l *lines) decodeDamaged(raw []byte) line {
	known := decodeLine(raw[:len(raw)-1], l.scratch[:])
	known.ok = false
	return known
}

func (l *lines) take(n int) ([]byte, int64, error) {
	raw, off := l.buf[l.from:l.from+n], l.off
	l.from += n
	l.off += int64(n)
	return raw, off, nil
}

// fill reads some more behind what is there, which it moves to the front.
func (l *lines) fill() error {
	rest := copy(l.buf, l.buf[l.from:])
	n := int(min(readChunk, l.size-l.read))
	if cap(l.buf) < rest+n {
		l.buf = append(make([]byte, 0, 2*(rest+n)), l.buf[:rest]...)
	}
	l.buf, l.from = l.buf[:rest+n], 0
	if err := disk.ReadFull(l.file, l.buf[rest:], l.read); err != nil {
		l.buf = l.buf[:rest]
		return errors.Join(errShortFile, err)
	}
	l.read += int64(n)
	return nil
}

var errShortFile = errors.New("the disk did not give what the file holds")

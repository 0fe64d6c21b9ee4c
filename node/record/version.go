// Package record holds what the store keeps and the wire carries: a record, which is one key's value or its deletion
// under a version, and the clock that makes versions. It does no I/O.
package record

import (
	"cmp"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"time"
)

// A Version orders all writes of a key. HLC is a hybrid logical clock (Kulkarni et al., "Logical Physical Clocks", 2014):
// 48 bits of Unix milliseconds above 16 bits of counter. Writer is random and made anew by each process that stamps
// versions, so that two writes never share a version. The zero Version stands for "never written".
type Version struct {
	HLC    uint64
	Writer uint64
}

// ErrBadVersion is returned by ParseVersion for text that is not a version.
var ErrBadVersion = errors.New("not a version: want 16 hex digits, a dash, 16 hex digits")

const counterBits = 16

// Compare returns -1, 0 or +1 as v is before, equal to or after w.
func (v Version) Compare(w Version) int {
	if c := cmp.Compare(v.HLC, w.HLC); c != 0 {
		return c
	}
	return cmp.Compare(v.Writer, w.Writer)
}

// After reports whether v is newer than w.
func (v Version) After(w Version) bool { return v.Compare(w) > 0 }

// IsZero reports whether v stands for "never written".
func (v Version) IsZero() bool { return v == Version{} }

// Time returns the wall-clock part of v, in steps of a millisecond.
func (v Version) Time() time.Time { return time.UnixMilli(int64(v.HLC >> counterBits)) }

// String returns the version as users see it, such as "019a8c4f2b710000-5f2e11c09ab3d477". The text sorts as the versions do.
func (v Version) String() string { return string(v.AppendText(make([]byte, 0, textLen))) }

const textLen = 16 + 1 + 16

// AppendText appends the text of String to b.
func (v Version) AppendText(b []byte) []byte {
	var raw [16]byte
	binary.BigEndian.PutUint64(raw[:8], v.HLC)
	binary.BigEndian.PutUint64(raw[8:], v.Writer)
	b = hex.AppendEncode(b, raw[:8])
	b = append(b, '-')
	return hex.AppendEncode(b, raw[8:])
}

// MarshalText implements encoding.TextMarshaler, with the text of String.
func (v Version) MarshalText() ([]byte, error) { return v.AppendText(nil), nil }

// UnmarshalText implements encoding.TextUnmarshaler. It returns ErrBadVersion for what ParseVersion doesn't read.
func (v *Version) UnmarshalText(text []byte) (err error) {
	*v, err = ParseVersion(string(text))
	return err
}

// ParseVersion reads the text that String writes, in capitals as well.
func ParseVersion(s string) (Version, error) {
	var raw [16]byte
	if len(s) != textLen || s[16] != '-' {
		return Version{}, ErrBadVersion
	}
	if _, err := hex.Decode(raw[:8], []byte(s[:16])); err != nil {
		return Version{}, ErrBadVersion
	}
	if _, err := hex.Decode(raw[8:], []byte(s[17:])); err != nil {
		return Version{}, ErrBadVersion
	}
	return Version{binary.BigEndian.Uint64(raw[:8]), binary.BigEndian.Uint64(raw[8:])}, nil
}

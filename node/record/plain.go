package record

import "encoding/binary"

// Plain reports whether b stands in a JSON string as it is: ASCII without controls below space, quotes and backslashes. It looks at eight bytes at
// a time (https://graphics.stanford.edu/~seander/bithacks.html#HasLessInWord).
func Plain(b []byte) bool {
	const ones, highs = 0x0101010101010101, 0x8080808080808080
	var seen uint64
	for ; len(b) >= 8; b = b[8:] {
		x := binary.LittleEndian.Uint64(b)
		// A difference has the high bit of a byte set where that byte is below what is taken from it: the first such byte at least.
		quote, slash := x^'"'*ones, x^'\\'*ones
		seen |= x | (x - ' '*ones) | (quote - ones) | (slash - ones)
	}
	for _, c := range b {
		if c < ' ' || c == '"' || c == '\\' || c >= 0x80 {
			return false
		}
	}
	return seen&highs == 0
}

package record

import (
	"bytes"
	"testing"
)

// TestPlain puts every byte at every place of texts of all lengths up to three words.
func TestPlain(t *testing.T) {
	for length := range 25 {
		if !Plain(bytes.Repeat([]byte{' '}, length)) || !Plain(bytes.Repeat([]byte{0x7f}, length)) {
			t.Errorf("%d bytes of plain text are called something else", length)
		}
		for at := range length {
			for _, around := range []byte{' ', '!', '#', '[', ']', 0x7f} {
				b := bytes.Repeat([]byte{around}, length)
				for c := range 256 {
					b[at] = byte(c)
					want := c >= ' ' && c < 0x80 && c != '"' && c != '\\'
					if got := Plain(b); got != want {
						t.Fatalf("Plain(%q) = %v", b, got)
					}
				}
			}
		}
	}
}

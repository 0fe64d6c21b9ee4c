package oracle

import (
	"fmt"
	"hash/crc32"
	"strings"
)

// MakeValue returns a value that proves itself: its checksum covers the key it belongs to, who wrote it, that writer's count
// of writes, and padding up to about size bytes. It's unique for a (key, writer, sequence), and never empty.
func MakeValue(key string, writer, sequence, size int) string {
	body := fmt.Sprintf("writer=%d sequence=%d key=%q ", writer, sequence, key)
	if pad := size - len(body) - checksumLen; pad > 0 {
		body += strings.Repeat(".", pad)
	}
	return checksum(body) + body
}

// checksumLen is the length of what checksum returns.
const checksumLen = 9

func checksum(body string) string {
	return fmt.Sprintf("%08x ", crc32.Checksum([]byte(body), crc32.MakeTable(crc32.Castagnoli)))
}

// CheckValue returns an error unless value came from MakeValue for this key, whole.
func CheckValue(key, value string) error {
	if len(value) < checksumLen || value[:checksumLen] != checksum(value[checksumLen:]) {
		return fmt.Errorf("value of %q is damaged or cut short: %q", key, shorten(value, maxShownValue))
	}
	var writer, sequence int
	var owner string
	if _, err := fmt.Sscanf(value[checksumLen:], "writer=%d sequence=%d key=%q", &writer, &sequence, &owner); err != nil {
		return fmt.Errorf("value of %q was not written by this test: %q", key, shorten(value, maxShownValue))
	}
	if owner != key {
		return fmt.Errorf("value of %q belongs to the key %q", key, owner)
	}
	return nil
}

// CheckValues returns an error unless each value that was read proves itself.
func CheckValues(ops []Op) error {
	v := &Violation{Promise: "values are whole and belong to their key"}
	for _, op := range ops {
		if op.Kind != Get || op.Outcome != OK || !op.Found {
			continue
		}
		if err := CheckValue(op.Key, op.Value); err != nil {
			v.add("%v\nread by %v", err, op)
		}
	}
	return v.err()
}

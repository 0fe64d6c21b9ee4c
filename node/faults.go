//go:build faults

package main

import (
	"fmt"
	"os"
	"strconv"
	"strings"
	"sync/atomic"

	"ringkv/node/store/jsonstore"
)

// faulty reads from the environment where this process is to die, for tests that are to find out what is left then:
//
//	RINGKV_FAULT_KILL=rotate-sealed:3      at the third time that the store comes to that point; see points.go of jsonstore
//	RINGKV_FAULT_SEGMENT_BYTES=65536       segments so small that some are full within a second
func faulty(o jsonstore.Options) (jsonstore.Options, error) {
	if text := os.Getenv("RINGKV_FAULT_SEGMENT_BYTES"); text != "" {
		bytes, err := strconv.ParseInt(text, 10, 64)
		if err != nil {
			return o, fmt.Errorf("RINGKV_FAULT_SEGMENT_BYTES: %w", err)
		}
		o.SegmentBytes = bytes
	}
	text := os.Getenv("RINGKV_FAULT_KILL")
	if text == "" {
		return o, nil
	}
	where, nth, ok := strings.Cut(text, ":")
	count, err := strconv.ParseInt(nth, 10, 64)
	if !ok || err != nil {
		return o, fmt.Errorf("RINGKV_FAULT_KILL is %q, want point:times", text)
	}
	var hits atomic.Int64
	o.At = func(point string) {
		if point == where && hits.Add(1) == count {
			kill()
			select {} // SIGKILL may take a moment to come: nothing happens beyond this point
		}
	}
	return o, nil
}

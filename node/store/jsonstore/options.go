package jsonstore

import (
	"log/slog"
	"time"
)

// Options of a store. The zero value of a field stands for its default.
type Options struct {
	// Node and Disk say whose segments these are. Segments of another disk are refused.
	Node, Disk string
	// SegmentBytes is the size at which a new segment is begun: 64 MiB, at most 1 GiB. Larger segments are fewer files, but compaction copies more
	// at a time, and needs as much free space.
	SegmentBytes int64
	// Manual leaves compaction and hint files to calls of Compact. Without it a goroutine does them when they are due.
	Manual bool
	// CompactRate bounds the bytes a second that compaction reads, unless there is far too much garbage: 8 MiB. Raising it costs writers latency.
	CompactRate int64
	// Log gets what an operator should know. None by default.
	Log *slog.Logger
	// At is called at the points named in points.go, for tests that kill the process there.
	At func(point string)
}

const (
	defaultSegmentBytes = 64 << 20
	maxSegmentBytes     = 1 << 30
	defaultCompactRate  = 8 << 20
	maxGroupBytes       = 8 << 20 // of one write, unless one batch alone is larger
	maxBatchBytes       = 1 << 30 // encoded, so that offsets fit in 32 bits
	maxKeyBytes         = 1<<16 - 1
	keepBufferBytes     = 4 << 20 // the write buffer is given back above this
	checkTimeout        = 10 * time.Second
)

func (o Options) withDefaults() Options {
	if o.SegmentBytes <= 0 {
		o.SegmentBytes = defaultSegmentBytes
	}
	o.SegmentBytes = min(o.SegmentBytes, maxSegmentBytes)
	if o.CompactRate <= 0 {
		o.CompactRate = defaultCompactRate
	}
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	if o.At == nil {
		o.At = func(string) {}
	}
	return o
}

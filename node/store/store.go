// Package store keeps one node's records. Engines are interchangeable behind Store, and storetest says what a correct one does.
package store

import (
	"context"
	"errors"

	"ringkv/node/record"
)

var (
	// ErrClosed is returned by every method after Close.
	ErrClosed = errors.New("store is closed")
	// ErrFull is returned by Apply when the disk has no room. Nothing of the batch was kept; reads go on, and a later Apply
	// succeeds once there is room.
	ErrFull = errors.New("no space left for the store: free some, or give it a larger disk; writing goes on by itself then")
	// ErrFailed is returned by Apply once a write or a sync has failed in a way after which the file can't be trusted. The
	// batch at which it happened may come back after a restart. It is final until then.
	ErrFailed = errors.New("store has failed and takes no more writes: check the disk, then restart the node")
	// ErrCorrupt is returned when a record is damaged on disk. It is never served.
	ErrCorrupt = errors.New("record is damaged on disk")
)

// A Head is a record without its value, known without reading the disk.
type Head struct {
	Version record.Version
	Deleted bool
}

// A Batch is what one Apply makes durable, all of it or nothing that counts.
type Batch struct {
	Records []record.Record
	Slots   []SlotState
}

// A SlotState is what the replica wants remembered about one slot: opaque to the store, one JSON value in one line.
type SlotState struct {
	Slot  int
	State []byte
}

// Stats are figures for people and metrics.
type Stats struct {
	Keys       int // with a value
	Tombstones int
	LiveBytes  int64 // of the newest records
	DiskBytes  int64
	Segments   int
	Damaged    int // records set aside as damaged since the store was opened
}

// Store keeps the newest record of each key. Apply, Compact and Close may be called concurrently with everything; they
// take their turns. What Apply was given is seen by Get, Head and Walk when it has returned nil, and not before it
// is durable.
type Store interface {
	// Apply stores the records, and the slot states, durably. A record replaces whatever is stored of its key: it is for the caller to
	// compare versions. Errors: ErrFull, ErrFailed, ErrClosed.
	Apply(b Batch) error
	// Get returns the record of key; ok is false when there is none. Errors: ErrCorrupt, ErrClosed, or what the disk says.
	Get(key string) (r record.Record, ok bool, err error)
	// Head is Get without the value and without touching the disk.
	Head(key string) (h Head, ok bool)
	// Walk calls fn for the records of a slot in the order of their keys, beginning after the key `after`, until fn
	// returns false. A record written meanwhile may be missed. Damaged records are passed over and counted.
	Walk(slot int, after string, fn func(record.Record) bool) error
	// SlotState returns what was last stored of the slot, nil if nothing was.
	SlotState(slot int) []byte
	// MaxVersion returns a version not older than any stored since the store was made.
	MaxVersion() record.Version
	// Compact rewrites what is worth it. It returns early, with ctx's error, when ctx is done.
	Compact(ctx context.Context) error
	// Check makes a tiny real write and sync, to find out whether the disk still answers.
	Check(ctx context.Context) error
	// Stats returns figures as of now.
	Stats() Stats
	// Close ends the store. It waits for the Apply under way. Closing twice is no error.
	Close() error
}

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
	// ErrFull is returned by Apply when the disk took no write, for want of room as a rule; the error says why. Nothing of the batch was
	// kept; reads go on, and a later Apply succeeds once there is room.
	ErrFull = errors.New("the disk takes no writes now: free some space, or give the store a larger disk; writing goes on by itself then")
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
	// Marked is set where the record is Derived, or has an Origin or a Ballot: Get tells. Few records are.
	Marked bool
	// Damaged is set where the record, or perhaps a newer one of the key, is damaged on disk: Get says ErrCorrupt. Version is then the newest
	// that is known, zero when none is. It must not be taken for an answer about the key.
	Damaged bool
}

// A Batch is what one Apply makes durable, all of it or nothing that counts.
type Batch struct {
	Records []record.Record
	Slots   []SlotState
	// Drop lists slots of which every record is forgotten, for good and before Records are stored. Their states stay, or are those in Slots. Doubt about their
	// records ends (see Doubter). A slot may be listed twice, or be empty.
	Drop []int
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
	Damaged    int // records found damaged since the store was opened
	Doubtful   int // slots of which something may have been lost: see Doubter
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
	// returns false. A record written meanwhile may be missed. Damaged records are passed over, and once the walk is done
	// ErrCorrupt tells of them, or that the slot is in doubt (see Doubter) and may lack others.
	Walk(slot int, after string, fn func(record.Record) bool) error
	// Heads is Walk without the values, and without touching the disk. Damaged records come with Damaged set. ErrCorrupt where the slot is in doubt.
	Heads(slot int, after string, fn func(key string, h Head) bool) error
	// Plain reports whether Heads would call nothing of the slot Marked or Damaged, and return nil. It sorts nothing, and costs far less than asking Heads.
	Plain(slot int) bool
	// Digest returns a sum of Fingerprint over the keys, versions and deletions of the slot's records, in whatever order they came: two stores
	// with the same records have the same digest, whatever their ballots. Records that Head calls Damaged are left out. It costs nothing to ask.
	Digest(slot int) uint64
	// Forget gives up the slot's tombstones of versions up to and including upTo that have no ballot above that: Get, Head, Walk, Heads and Digest are without
	// them from now on. It need not last: after the store was opened again they may be back, until Forget is called anew. What an older record of the key
	// held never comes back. Damaged tombstones stay until they are stored again. Errors: ErrClosed, or what the disk says.
	Forget(slot int, upTo record.Version) error
	// SlotState returns what was last stored of the slot, nil if nothing was.
	SlotState(slot int) []byte
	// MaxVersion returns a version not older than any stored since the store was made, origins and ballots included.
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

// A Doubter is a Store that can lose a line to damage without knowing what the line was about. Then every slot is in doubt: for
// keys that weren't written since, Get says ErrCorrupt (whether the store knows an older record or none) and Head says Damaged, and SlotState may be
// an older state.
type Doubter interface {
	// Doubtful reports whether something of the slot may have been lost.
	Doubtful(slot int) bool
	// Repaired makes durable that the slot's state and records have been stored again from what others hold, and ends the doubt. What was lost may have been
	// a drop, or the deletion of what nobody else holds any more: a batch that drops the slot before it stores the first of its records leaves nothing of
	// that; it ends the doubt about records by itself, and a new state that about the state. Errors as of Apply.
	Repaired(slot int) error
}

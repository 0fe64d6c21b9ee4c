// Package wire is what gateways and nodes, and nodes among themselves, say to each other: requests about one key, many of
// them in flight on one connection, written and read in batches.
package wire

import (
	"errors"

	"ringkv/hashring/placement"
	"ringkv/node/record"
)

// An Op is what a Request asks for.
type Op uint8

const (
	// OpRead asks for the record of Key. With HeadOnly the value stays behind.
	OpRead Op = 1 + iota
	// OpWrite asks to store Record, a client's write. Where its version was stamped after a query (Queried), a newer write covers it that may have been under
	// way at the same time.
	OpWrite
	// OpWriteBack asks to store Record, which a read found on fewer owners than it needs.
	OpWriteBack
	// OpPull asks a node to promise Config and then to say what it holds of the slot's past: of Key, or, where that is empty, of the keys of
	// Slot behind After, as many as fit a page. With HeadOnly the values stay behind. Nodes ask it of each other.
	OpPull
	// OpPrepare asks not to take any version of Key below Ballot from now on, and then for the record of Key.
	OpPrepare
	// OpAccept asks to store Record, whose version is a ballot that was prepared in the same Config.
	OpAccept
	// OpSync asks an owner that has settled Config to hold Record, or something newer. Owners ask it of each other.
	OpSync
	// OpGuard asks an owner that has settled Config not to take any version up to Ballot in Slot from now on, and then for the heads that it holds
	// of the slot up to that version, page by page behind After. Owners ask it of each other.
	OpGuard
	// OpFloor tells an owner that has settled Config that all of them hold everything up to Ballot in Slot, so that tombstones up to there can go.
	OpFloor
	// OpSlot asks how a node stands to Slot, whatever it has promised: all of Pulled comes back but for records, and of a long History the end. Nodes ask it of each other.
	OpSlot
	// OpFetch asks what OpPull asks, of Keys of Slot: for the whole records of those of them that the node holds and can read, as many as fit a page. Nothing
	// follows from a key that doesn't come. Nodes ask it of each other.
	OpFetch

	lastOp = OpFetch
)

// A Request is about one key in one config of its slot. It is immutable once sent.
type Request struct {
	Op       Op
	Config   *placement.Config
	Key      string
	Slot     int            // without Key
	After    string         // OpPull without Key, OpGuard
	Keys     []string       // OpFetch: of Slot, sorted, none twice
	Digest   uint64         // OpPull with HeadOnly, without Key and After: of what the asker holds of Slot; 0 for not told. See Pulled.Same
	HeadOnly bool           // OpRead and OpPull
	Record   record.Record  // OpWrite, OpWriteBack, OpAccept, OpSync; Record.Key is Key
	Base     record.Version // OpWrite, OpPrepare and OpAccept: the newest version that the writer had seen of the key, zero if none
	Ballot   record.Version // OpPrepare, OpGuard, OpFloor
	Queried  bool           // OpWrite: the version was stamped after enough owners had been asked which ones they hold
}

// A Status is a node's answer in one word. All but OK and Failed are definite refusals: nothing was stored by this
// request, and nothing will be.
type Status uint8

const (
	// OK: done; what was to be stored is durable here.
	OK Status = 1 + iota
	// Stale: the node has promised a later config, which comes along; ask its owners.
	Stale
	// Superseded: a newer version is held here; it comes along.
	Superseded
	// NotReady: the node has yet to learn what the slot's earlier owners hold.
	NotReady
	// NotOwner: the config does not name this node.
	NotOwner
	// TooFarAhead: the version lies too far ahead of this node's clock.
	TooFarAhead
	// Full: no room on this node's disk.
	Full
	// Overloaded: too much is waiting here already.
	Overloaded
	// BadRequest: the request breaks a rule of this protocol.
	BadRequest
	// Failed: the disk failed on the way; it may have been stored or not.
	Failed
)

// Had says whether a node that refuses a write, since it holds something newer, had that very version before. It is a fact for good.
type Had uint8

const (
	// HadUnknown: the node can't tell, or must not.
	HadUnknown Had = iota
	// HadAccepted: it accepted that version in the config of the request, as durably as if it had said OK.
	HadAccepted
	// HadNever: it never held that version, never will in this config, and has prepared no ballot above it.
	HadNever
)

// A Pulled is what a node holds of a slot's past, as of one moment after it promised the config of the request.
type Pulled struct {
	Node    string            // the identity of the node that answers, as configs name it: its address may have been another's
	Settled *placement.Config // the latest config that it held everything of; nil for none
	Guard   record.Version    // it takes nothing in this slot up to this version
	Floor   record.Version    // a key of this slot that it doesn't hold counts as deleted at this version
	Digest  uint64            // OpSlot: of what it holds of the slot
	// Same: the node holds the very records that the asker's Digest is of, and has the same floor. Of Records, only those are told that may have a ballot.
	Same    bool
	History []*placement.Config // the configs that it has promised since, oldest first
	Records []record.Record     // sorted by key; at most one where Key was given
	More    bool                // there are keys behind the last of Records: of the slot, or of those that were asked for
}

// A Response answers one Request.
type Response struct {
	Status  Status
	Config  *placement.Config // Stale: the config promised
	Record  record.Record     // OpRead and OpPrepare, OK: what is held; the zero Version if nothing is
	Firm    bool              // OpRead and OpPrepare, OK: Record counts as accepted in this config
	Virtual bool              // OpRead and OpPrepare, OK: Record stands for a tombstone that was collected: all owners know it
	Version record.Version    // Superseded: the version that stands in the way; OpRead, OK: what a new version must be above besides Record's
	Had     Had               // OpWrite, Superseded: whether the node ever held the version that it refuses
	Fetched bool              // the node had to fetch the key from its earlier owners before it could answer
	Detail  string            // for people, when Status isn't OK
	Pulled  *Pulled           // OpPull, OpFetch, OpGuard and OpSlot, OK
}

// A Reply is what became of one Request: the node's Response, or Err.
type Reply struct {
	Node     string // the id of the node asked
	Response Response
	Err      error // nil, or wraps ErrNotSent or ErrNoAnswer
}

var (
	// ErrNotSent: the request never left: no connection, or no room on it. The node has not seen it and never will.
	ErrNotSent = errors.New("not sent")
	// ErrNoAnswer: the request left and no answer came. The node may have acted on it, or may still.
	ErrNoAnswer = errors.New("no answer")
)

// A Handler serves requests on a node.
type Handler interface {
	// Handle answers req by calling respond exactly once, at once or later from any goroutine. It may block
	// for as long as a read of the disk takes, never for a write. respond does not block.
	Handle(req *Request, respond func(Response))
}

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
	// OpWrite asks to store Record, a client's write.
	OpWrite
	// OpWriteBack asks to store Record, which a read found on fewer owners than it needs.
	OpWriteBack
	// OpPull asks a node to promise Config and then to say what it holds of the slot's past: of Key, or, where that is empty, of the keys of
	// Slot behind After, as many as fit a page. With HeadOnly the values stay behind. Nodes ask it of each other.
	OpPull
)

// A Request is about one key in one config of its slot. It is immutable once sent.
type Request struct {
	Op       Op
	Config   *placement.Config
	Key      string
	Slot     int            // OpPull without Key
	After    string         // OpPull without Key
	HeadOnly bool           // OpRead and OpPull
	Record   record.Record  // OpWrite and OpWriteBack; Record.Key is Key
	Base     record.Version // OpWrite only: the newest version that the writer had seen of the key, zero if none
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

// A Pulled is what a node holds of a slot's past, as of one moment after it promised the config of the request.
type Pulled struct {
	Node    string              // the identity of the node that answers, as configs name it: its address may have been another's
	Settled *placement.Config   // the latest config that it held everything of; nil for none
	History []*placement.Config // the configs that it has promised since, oldest first
	Records []record.Record     // sorted by key; at most one where Key was given
	More    bool                // there are keys behind the last of Records
}

// A Response answers one Request.
type Response struct {
	Status  Status
	Config  *placement.Config // Stale: the config promised
	Record  record.Record     // OpRead, OK: what is held; the zero Version if nothing is
	Version record.Version    // Superseded: the version that stands in the way
	Detail  string            // for people, when Status isn't OK
	Pulled  *Pulled           // OpPull, OK
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

// Package replica is one node's share of the data: it decides which requests may act on which slot, and which record of a key
// wins. It knows nothing of sockets, HTTP or Consul; it sits between wire, which brings requests, and store, which
// keeps records.
//
// Every request names a config of its slot. A replica promises configs in order and durably, acts only in the one it has
// promised last, and only where it has settled it: it then holds, with enough of the other owners, everything that was acknowledged before.
//
// All changes pass through one committer: it takes what has gathered meanwhile, judges each request against what is stored
// and what stands before it in the batch, makes the batch durable with one sync, and only then answers. So check and store
// are one step for each key, a promise and the writes around it have one order, and nothing is visible before it is durable.
package replica

import (
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"ringkv/hashring"
	"ringkv/node/record"
	"ringkv/node/store"
	"ringkv/node/wire"
)

// Options are a Replica's settings. Zero fields mean the defaults that stand beside them.
type Options struct {
	ID      string        // this node's id, as configs name it
	Disk    string        // identity of the data directory, as the placement names it
	MaxSkew time.Duration // how far ahead of this node's clock a new version may be; 5 s
	Queue   int           // changes that may wait for the disk; above it, Overloaded; 4,096
	Now     func() time.Time
	Clock   *record.Clock // told of every version accepted, if given
	Metrics *Metrics      // none
}

// A Replica is safe for concurrent use. Run must be running for changes to be answered.
type Replica struct {
	opt   Options
	store store.Store
	slots [hashring.Slots]atomic.Pointer[state] // nil: nothing promised yet
	doubt [hashring.Slots]bool                  // the disk lost something of the slot, perhaps a promise

	mu      sync.RWMutex // held for reading while an item is put into queue; guards stopped
	stopped bool
	queue   chan *item
}

// New returns a replica over st, with the promises that st remembers.
func New(st store.Store, opt Options) (*Replica, error) {
	if opt.MaxSkew == 0 {
		opt.MaxSkew = 5 * time.Second
	}
	if opt.Queue == 0 {
		opt.Queue = 4096
	}
	if opt.Now == nil {
		opt.Now = time.Now
	}
	r := &Replica{opt: opt, store: st, queue: make(chan *item, opt.Queue)}
	doubter, _ := st.(store.Doubter)
	for slot := range r.slots {
		r.doubt[slot] = doubter != nil && doubter.Doubtful(slot)
		text := st.SlotState(slot)
		if text == nil || r.doubt[slot] {
			continue
		}
		s, err := parseState(text)
		if err != nil {
			return nil, fmt.Errorf("state of slot %d: %w", slot, err)
		}
		r.slots[slot].Store(s)
	}
	if opt.Clock != nil {
		opt.Clock.Observe(st.MaxVersion())
	}
	return r, nil
}

// Handle implements wire.Handler. Reads are answered at once, the rest by the committer.
func (r *Replica) Handle(req *wire.Request, respond func(wire.Response)) {
	if req.Config == nil || req.Key == "" {
		respond(wire.Response{Status: wire.BadRequest, Detail: "was asked about no key or in no config"})
		return
	}
	if r.doubt[hashring.SlotOf(req.Key)] {
		respond(damaged)
		return
	}
	switch req.Op {
	case wire.OpRead:
		r.read(req, respond)
	case wire.OpWrite, wire.OpWriteBack:
		if req.Record.Key != req.Key || req.Record.Version.IsZero() {
			respond(wire.Response{Status: wire.BadRequest, Detail: "was sent a record without a version, or of another key"})
			return
		}
		r.enqueue(&item{req: req, respond: respond})
	default:
		respond(wire.Response{Status: wire.BadRequest, Detail: fmt.Sprintf("doesn't know operation %d: give all nodes and gateways the same version of ringkv", req.Op)})
	}
}

// read answers from what is durable. A config that isn't promised yet goes through the committer first.
func (r *Replica) read(req *wire.Request, respond func(wire.Response)) {
	slot := &r.slots[hashring.SlotOf(req.Key)]
	for {
		s := slot.Load()
		switch verdict := r.admit(s, req.Config); verdict.Status {
		case wire.OK:
		case adopt:
			r.enqueue(&item{req: req, respond: respond})
			return
		default:
			respond(verdict)
			return
		}
		resp := r.lookup(req)
		if slot.Load() == s { // else a later config was promised meanwhile: what was read may belong to it
			respond(resp)
			return
		}
	}
}

func (r *Replica) lookup(req *wire.Request) wire.Response {
	if req.HeadOnly {
		h, ok := r.store.Head(req.Key)
		switch {
		case h.Damaged:
			return damaged
		case !ok:
			return wire.Response{Status: wire.OK}
		}
		return wire.Response{Status: wire.OK, Record: record.Record{Key: req.Key, Version: h.Version, Deleted: h.Deleted}}
	}
	rec, _, err := r.store.Get(req.Key)
	switch {
	case errors.Is(err, store.ErrCorrupt):
		return damaged
	case err != nil:
		return wire.Response{Status: wire.Failed, Detail: "could not read its disk: " + err.Error()}
	}
	return wire.Response{Status: wire.OK, Record: rec}
}

// damaged refuses what touches something that can't be read: this replica can't know what it has acknowledged there.
var damaged = wire.Response{Status: wire.NotReady, Detail: "found its copy damaged and set it aside"}

// Package replica is one node's share of the data: it decides which requests may act on which slot, and which record of a key
// wins. It knows nothing of sockets, HTTP or Consul; it sits between wire, which brings requests, and store, which
// keeps records.
//
// Every request names a config of its slot. A replica promises configs in order and durably, acts only in the one it has
// promised last, and only on keys that it has pulled there, or on all once it has settled that: it then holds everything that was acknowledged before.
//
// All changes pass through one committer: it takes what has gathered meanwhile, judges each request against what is stored
// and what stands before it in the batch, makes the batch durable with one sync, and only then answers. So check and store
// are one step for each key, a promise and the writes around it have one order, and nothing is visible before it is durable.
package replica

import (
	"context"
	"fmt"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/time/rate"

	"ringkv/hashring"
	"ringkv/hashring/placement"
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
	Log     *slog.Logger  // none

	// View returns who should hold what, and who passes; nil while that isn't known. With Peers it lets this node fetch what
	// others hold. Without them it serves what it has.
	View  func() *placement.View
	Peers Peers
	// MoveRate is how many bytes of keys and values a second are fetched from others in the background; no bound if 0. Raising
	// it settles slots sooner, and costs requests latency.
	MoveRate int
	// Only, if given, says which slots this node settles. A simulation leaves out most of them, since they are all alike.
	Only func(slot int) bool
}

// Peers carries requests to other nodes.
type Peers interface {
	// Send puts req on its way to the node and returns at once. Exactly one Reply is sent to `to`, which has room for it, at the latest at the deadline.
	Send(node, addr string, req *wire.Request, deadline time.Time, to chan<- wire.Reply)
}

// A Replica is safe for concurrent use. Run must be running for changes to be answered.
type Replica struct {
	opt   Options
	self  string // this node's identity, as configs name it
	store store.Store
	limit *rate.Limiter                         // nil for none
	slots [hashring.Slots]atomic.Pointer[state] // nil: nothing promised yet
	doubt [hashring.Slots]atomic.Bool           // the disk lost something of the slot, perhaps a promise

	mu      sync.RWMutex // held for reading while an item is put into queue; guards stopped
	stopped bool
	queue   chan *item

	entering entering
	accepted accepted
	pasts    pasts
	fetched  atomic.Int64    // bytes, see Progress
	ctx      context.Context // of pulls; ends with Run
	cancel   context.CancelFunc
	work     sync.WaitGroup // pulls under way
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
	if opt.View == nil {
		opt.View = func() *placement.View { return nil }
	}
	if opt.Only == nil {
		opt.Only = func(int) bool { return true }
	}
	if opt.Log == nil {
		opt.Log = slog.New(slog.DiscardHandler)
	}
	r := &Replica{opt: opt, self: placement.Identity(opt.ID, opt.Disk), store: st, queue: make(chan *item, opt.Queue)}
	r.ctx, r.cancel = context.WithCancel(context.Background())
	if opt.MoveRate > 0 {
		r.limit = rate.NewLimiter(rate.Limit(opt.MoveRate), max(opt.MoveRate, 1<<20))
	}
	doubter, _ := st.(store.Doubter)
	for slot := range r.slots {
		r.doubt[slot].Store(doubter != nil && doubter.Doubtful(slot))
		text := st.SlotState(slot)
		if text == nil || r.doubt[slot].Load() {
			continue
		}
		s, err := parseState(text)
		if err != nil {
			return nil, fmt.Errorf("state of slot %d: %w", slot, err)
		}
		if !s.Floor.IsZero() {
			if err := st.Forget(slot, s.Floor); err != nil {
				return nil, fmt.Errorf("forget the tombstones of slot %d: %w", slot, err)
			}
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
	if req.Config == nil || req.Key == "" && !aboutSlot(req.Op) || req.Slot < 0 || req.Slot >= hashring.Slots {
		respond(wire.Response{Status: wire.BadRequest, Detail: "was asked about no key or in no config"})
		return
	}
	if r.doubt[slotOf(req)].Load() {
		respond(damaged)
		return
	}
	switch req.Op {
	case wire.OpRead:
		r.read(req, respond)
	case wire.OpPull:
		r.answerPull(req, respond)
	case wire.OpFetch:
		if !keysOf(req.Slot, req.Keys) {
			respond(wire.Response{Status: wire.BadRequest, Detail: "was asked for keys out of order, or of another slot"})
			return
		}
		r.answerPull(req, respond)
	case wire.OpPrepare:
		if req.Ballot.IsZero() {
			respond(wire.Response{Status: wire.BadRequest, Detail: "was asked to prepare no ballot"})
			return
		}
		r.enqueue(&item{req: req, slot: slotOf(req), respond: respond})
	case wire.OpWrite, wire.OpWriteBack, wire.OpAccept:
		if req.Record.Key != req.Key || req.Record.Version.IsZero() {
			respond(wire.Response{Status: wire.BadRequest, Detail: "was sent a record without a version, or of another key"})
			return
		}
		r.enqueue(&item{req: req, slot: slotOf(req), respond: respond})
	case wire.OpSlot, wire.OpSync, wire.OpGuard, wire.OpFloor:
		r.handleOwner(req, respond)
	default:
		respond(wire.Response{Status: wire.BadRequest, Detail: fmt.Sprintf("doesn't know operation %d: give all nodes and gateways the same version of ringkv", req.Op)})
	}
}

// slotOf returns the slot that a request is about.
func slotOf(req *wire.Request) int {
	if req.Key == "" {
		return req.Slot
	}
	return hashring.SlotOf(req.Key)
}

// read answers from what is durable. A config that isn't promised yet goes through the committer first.
func (r *Replica) read(req *wire.Request, respond func(wire.Response)) {
	slot := hashring.SlotOf(req.Key)
	for {
		s := r.slots[slot].Load()
		switch verdict := r.admit(slot, s, req.Config, req.Key); verdict.Status {
		case wire.OK:
		case adopt:
			r.enqueue(&item{req: req, slot: slot, respond: respond})
			return
		case pull:
			r.await(slot, req.Config, req, respond)
			return
		default:
			respond(verdict)
			return
		}
		resp := r.lookup(s, req)
		if r.slots[slot].Load() == s { // else a later config was promised meanwhile: what was read may belong to it
			respond(resp)
			return
		}
	}
}

// lookup answers a read in state s. The ballot stays behind as such: it is this replica's own.
func (r *Replica) lookup(s *state, req *wire.Request) wire.Response {
	rec, err := r.stored(req.Key, !req.HeadOnly)
	if err != nil {
		return unreadable(err)
	}
	resp := wire.Response{Status: wire.OK, Version: later(rec.Ballot, s.Guard)}
	resp.Record, resp.Virtual = seen(rec, s.Floor)
	resp.Firm = r.accepted.firm(req.Key, resp.Record.Version, rec.Ballot, req.Config.Generation)
	resp.Record.Ballot = record.Version{}
	return resp
}

// history returns the configs that the placement says the slot has had: whom to ask. What counts is what they answer.
func (r *Replica) history(slot int) []*placement.Config {
	view := r.opt.View()
	if view == nil {
		return nil
	}
	var configs []*placement.Config
	for _, config := range view.History(slot) {
		configs = append(configs, &config)
	}
	return configs
}

// known returns the configs of the placement's history, and those that this node remembers in state s.
func (r *Replica) known(slot int, s *state) []*placement.Config {
	configs := append(r.history(slot), s.History...)
	if s.Settled != nil {
		configs = append(configs, s.Settled)
	}
	return configs
}

// locate returns where the node of this identity is, as far as is known.
func (r *Replica) locate(identity string) placement.Owner {
	view := r.opt.View()
	if view == nil || r.opt.Peers == nil {
		return placement.Owner{ID: identity}
	}
	return view.Locate(&placement.Config{Owners: []string{identity}})[0]
}

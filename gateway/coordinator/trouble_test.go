package coordinator_test

import (
	"sync/atomic"

	"ringkv/hashring/placement"
	"ringkv/node/wire"
)

// A troubled handler stands before a replica and answers in its place.
type troubled struct {
	wire.Handler
	refuse  atomic.Uint32 // a wire.Status to refuse writes with, 0 for none
	lose    atomic.Bool   // answers to writes are lost
	losing  atomic.Bool   // answers to accepts are lost
	promise atomic.Pointer[placement.Config]
	first   atomic.Pointer[func(wire.Op)] // done before a request is handled
}

// Handle implements wire.Handler.
func (h *troubled) Handle(req *wire.Request, respond func(wire.Response)) {
	if first := h.first.Load(); first != nil {
		(*first)(req.Op)
	}
	if later := h.promise.Load(); later != nil {
		if req.Config.Generation < later.Generation {
			respond(wire.Response{Status: wire.Stale, Config: later})
			return
		}
		copied := *req // the replica below stays where it is
		copied.Config = &placement.Config{Generation: later.Generation - 1, Owners: later.Owners}
		req = &copied
	}
	if req.Op == wire.OpWrite {
		if s := wire.Status(h.refuse.Load()); s != 0 {
			respond(wire.Response{Status: s})
			return
		}
		if h.lose.Load() {
			h.Handler.Handle(req, func(wire.Response) { respond(wire.Response{}) }) // no status: the network drops it
			return
		}
	}
	if req.Op == wire.OpAccept && h.losing.Load() {
		h.Handler.Handle(req, func(wire.Response) { respond(wire.Response{}) })
		return
	}
	h.Handler.Handle(req, respond)
}

// trouble returns the node's troubled handler, putting it in place first.
func (n *testNode) trouble() *troubled {
	n.mu.Lock()
	defer n.mu.Unlock()
	h, ok := n.replica.(*troubled)
	if !ok {
		h = &troubled{Handler: n.replica}
		n.replica = h
	}
	return h
}

// refuseWrites makes the node refuse writes with s; 0 ends that.
func (n *testNode) refuseWrites(s wire.Status)      { n.trouble().refuse.Store(uint32(s)) }
func (n *testNode) loseWriteAnswers(lose bool)      { n.trouble().lose.Store(lose) }
func (n *testNode) loseAccepts(lose bool)           { n.trouble().losing.Store(lose) }
func (n *testNode) promise(later *placement.Config) { n.trouble().promise.Store(later) }

// before has something done before the node handles a request of that op.
func (n *testNode) before(op wire.Op, do func()) {
	first := func(got wire.Op) {
		if got == op {
			do()
		}
	}
	n.trouble().first.Store(&first)
}

// under returns the replica itself.
func (n *testNode) under() wire.Handler { return n.trouble().Handler }

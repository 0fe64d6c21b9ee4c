package replica

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"ringkv/hashring/placement"
	"ringkv/node/record"
	"ringkv/node/wire"
)

// What the owners of a slot ask of each other once they have settled. None of it promises a config: whoever asks is behind, or will
// find out from the answer that it is ahead.

// askPatience is how long one such question waits for its answer.
const askPatience = 5 * time.Second

// aboutSlot reports whether requests of this op may be about a slot as a whole.
func aboutSlot(op wire.Op) bool {
	return pulls(op) || op == wire.OpSlot || op == wire.OpGuard || op == wire.OpFloor
}

// betweenOwners reports whether op may only be done by an owner that has settled the config of the request, and promised none after
// it.
func betweenOwners(op wire.Op) bool {
	return op == wire.OpSync || op == wire.OpGuard || op == wire.OpFloor
}

// handleOwner takes what other nodes ask about the upkeep of a slot.
func (r *Replica) handleOwner(req *wire.Request, respond func(wire.Response)) {
	switch {
	case req.Op == wire.OpSlot:
		respond(r.stand(req.Slot))
	case req.Op == wire.OpSync && (req.Record.Key != req.Key || req.Record.Version.IsZero()):
		respond(wire.Response{Status: wire.BadRequest, Detail: "was sent a record without a version, or of another key"})
	default:
		r.enqueue(&item{req: req, slot: slotOf(req), respond: respond})
	}
}

// stand says how this node stands to a slot, as of one moment. It promises nothing.
func (r *Replica) stand(slot int) wire.Response {
	for {
		s := r.slots[slot].Load()
		p := &wire.Pulled{Node: r.self, Digest: r.store.Digest(slot)}
		if s != nil {
			p.Settled, p.Guard, p.Floor = s.Settled, s.Guard, s.Floor
			p.History = s.History[max(0, len(s.History)-wire.MaxHistory):]
		}
		if r.slots[slot].Load() == s {
			return wire.Response{Status: wire.OK, Pulled: p}
		}
	}
}

// standsIn reports whether the node that answered p has settled config and promised none after it.
func standsIn(p *wire.Pulled, config *placement.Config) bool {
	n := len(p.History)
	return n > 0 && p.Settled.Equal(config) && p.History[n-1].Equal(config)
}

// owner judges a request that only an owner may follow that has settled its config and promised none after it.
func (b *batch) owner(it *item) {
	s := b.state(it.slot)
	_, it.staged = b.states[it.slot]
	switch it.answer = b.r.promised(s, it.req.Config); {
	case it.answer.Status == adopt || it.answer.Status == wire.OK && !s.settled():
		it.answer = wire.Response{Status: wire.NotReady, Detail: "has not settled this generation of the slot"}
	case it.answer.Status != wire.OK:
	case !it.req.Config.Owns(b.r.self):
		it.answer = wire.Response{Status: wire.NotOwner, Detail: "is not an owner of this slot"}
	case it.req.Op == wire.OpSync:
		b.sync(it, s)
	case it.req.Op == wire.OpGuard:
		b.guard(it, s)
	case it.req.Op == wire.OpFloor:
		b.floor(it, s)
	}
}

// sync takes a record that another owner holds, unless it holds that or a newer one. Neither guard nor ballot stands in the
// way: both owners have settled the config, and one that holds the record could have told this one of it at any time before.
func (b *batch) sync(it *item, s *state) {
	rec := it.req.Record
	rec.Ballot = record.Version{} // what the sender has prepared is its own
	if err := b.merge(it, s, rec); err != nil {
		it.answer = unreadable(err)
	}
}

// ask asks the owner of that identity, which may be this node, and waits for its answer. Whatever isn't OK is an error.
func (r *Replica) ask(ctx context.Context, identity string, req *wire.Request) (wire.Response, error) {
	ctx, cancel := context.WithTimeout(ctx, askPatience)
	defer cancel()
	owner := r.locate(identity)
	replies := make(chan wire.Reply, 1)
	switch deadline, _ := ctx.Deadline(); {
	case identity == r.self:
		r.Handle(req, func(resp wire.Response) { replies <- wire.Reply{Response: resp} })
	case !owner.Passing:
		return wire.Response{}, fmt.Errorf("%s is not passing its check", owner.ID)
	default:
		r.opt.Peers.Send(owner.ID, owner.Addr, req, deadline, replies)
	}
	select {
	case reply := <-replies:
		switch resp := reply.Response; {
		case reply.Err != nil:
			return resp, fmt.Errorf("%s: %w", owner.ID, reply.Err)
		case resp.Status != wire.OK:
			return resp, fmt.Errorf("%s %s", owner.ID, resp.Detail)
		case resp.Pulled != nil && resp.Pulled.Node != identity:
			return resp, fmt.Errorf("%s is another by now: its disk is not the one it had", owner.ID)
		default:
			return resp, nil
		}
	case <-ctx.Done():
		return wire.Response{}, fmt.Errorf("%s: %w", owner.ID, ctx.Err())
	}
}

// askSlot asks how the owner of that identity stands to a slot.
func (r *Replica) askSlot(ctx context.Context, identity string, slot int, config *placement.Config) (*wire.Pulled, error) {
	resp, err := r.ask(ctx, identity, &wire.Request{Op: wire.OpSlot, Config: config, Slot: slot})
	if err == nil && resp.Pulled == nil {
		err = errors.New("an answer about a slot says nothing of it")
	}
	return resp.Pulled, err
}

// others are the config's owners besides this node.
func (r *Replica) others(config *placement.Config) []string {
	return slices.DeleteFunc(slices.Clone(config.Owners), func(identity string) bool { return identity == r.self })
}

package replica

import (
	"context"
	"errors"
	"slices"

	"ringkv/hashring/placement"
	"ringkv/node/record"
	"ringkv/node/wire"
)

// await lets a request go on once its key has been pulled.
func (r *Replica) await(slot int, config *placement.Config, req *wire.Request, answer func(wire.Response)) {
	respond := func(resp wire.Response) {
		resp.Fetched = true
		answer(resp)
	}
	first, ok := r.entering.wait(slot, config, req.Key, waiting{req, respond})
	switch {
	case !ok:
		respond(wire.Response{Status: wire.NotReady, Detail: "is fetching too much from this slot's earlier owners already"})
	case first && !r.spawn(func() { r.goOn(slot, config, req.Key, r.pullKey(slot, config, req.Key)) }):
		r.goOn(slot, config, req.Key, errors.New(stopping.Detail))
	}
}

// goOn lets those go on who waited for key, whose pull has ended with err.
func (r *Replica) goOn(slot int, config *placement.Config, key string, err error) {
	for _, w := range r.entering.done(slot, config, key, err == nil) {
		if err == nil || errors.Is(err, errOvertaken) {
			r.Handle(w.req, w.respond)
		} else {
			w.respond(wire.Response{Status: wire.NotReady, Detail: err.Error()})
		}
	}
}

// spawn starts work that Run waits for; false if Run is ending.
func (r *Replica) spawn(work func()) bool {
	r.mu.RLock()
	defer r.mu.RUnlock()
	if !r.stopped {
		r.work.Go(work)
	}
	return !r.stopped
}

// pullKey fetches what the earlier owners hold of key, and makes the newest of it this node's own.
func (r *Replica) pullKey(slot int, config *placement.Config, key string) error {
	ctx, cancel := context.WithTimeout(r.ctx, pullPatience)
	defer cancel()
	s := r.slots[slot].Load()
	if s == nil || !s.Promised.Equal(config) {
		return errOvertaken
	}
	own, err := r.stored(key, false)
	if err != nil {
		return errors.New(unreadable(err).Detail)
	}
	c := r.newCollection(slot, s, &wire.Request{Op: wire.OpPull, Config: config, Key: key})
	if err := c.run(ctx); err != nil {
		return err
	}
	var recs []record.Record
	if best, _ := c.newest(key); lacks(own, best, s) {
		recs = append(recs, best)
	}
	return r.absorb(ctx, slot, config, c.guard(), recs)
}

// lacks reports whether best, which others told, says more of a key than own, which this node holds in state s.
func lacks(own, best record.Record, s *state) bool {
	held, _ := seen(own, s.Floor)
	return best.Version.After(held.Version) || best.Ballot.After(own.Ballot)
}

// absorb stores what was pulled, where it is newer than what is here, and takes nothing up to guard from now on: those it was pulled
// from have promised the same. There may be nothing to it.
func (r *Replica) absorb(ctx context.Context, slot int, config *placement.Config, guard record.Version, recs []record.Record) error {
	recs = slices.DeleteFunc(recs, isNone)
	if s := r.slots[slot].Load(); len(recs) == 0 && !guard.After(s.Guard) {
		return nil
	}
	r.countFetched(recs)
	return r.change(ctx, &item{slot: slot, within: config, absorb: recs, guard: guard})
}

// change hands an item to the committer and waits until it is durable. errOvertaken if the slot has moved on.
func (r *Replica) change(ctx context.Context, it *item) error {
	done := make(chan wire.Response, 1)
	it.respond = func(resp wire.Response) { done <- resp }
	r.enqueue(it)
	select {
	case resp := <-done:
		switch resp.Status {
		case wire.OK:
			return nil
		case wire.Stale:
			return errOvertaken
		}
		return errors.New(resp.Detail)
	case <-ctx.Done():
		return ctx.Err()
	}
}

package replica

import (
	"context"
	"errors"

	"ringkv/hashring/placement"
	"ringkv/node/record"
	"ringkv/node/store"
	"ringkv/node/wire"
)

// Bounds of one batch: what one sync makes durable.
const (
	batchItems = 512
	batchBytes = 4 << 20
)

// An item waits for the committer: a request, or a change of this node's own making.
type item struct {
	req     *wire.Request
	respond func(wire.Response)
	slot    int

	// in place of req, one of
	learn   []learned         // states to begin with
	promise *placement.Config // a config to promise
	absorb  []record.Record   // what was pulled
	settle  bool              // everything was pulled
	drop    []leaving         // slots to forget
	renew   *state            // how a slot in doubt stands

	mend bool // absorb: in place of what is damaged here

	guard record.Version // absorb: of those it was pulled from
	floor record.Version // settle: of those everything was pulled from

	within *placement.Config // absorb and settle: the config in which they hold

	answer wire.Response
	staged bool // the answer holds only if the batch becomes durable
}

// enqueue hands an item to the committer, or refuses it at once.
func (r *Replica) enqueue(it *item) {
	r.mu.RLock()
	defer r.mu.RUnlock()
	if r.stopped {
		it.respond(stopping)
		return
	}
	select {
	case r.queue <- it:
	default:
		it.respond(wire.Response{Status: wire.Overloaded, Detail: "has too many writes waiting for its disk"})
	}
}

var stopping = wire.Response{Status: wire.NotReady, Detail: "is stopping"}

// Run is the committer. It returns when ctx is done and everything that was queued has been answered.
func (r *Replica) Run(ctx context.Context) error {
	for {
		select {
		case it := <-r.queue:
			r.commit(r.gather(it))
		case <-ctx.Done():
			r.cancel()
			r.stop()
			r.work.Wait()
			return nil
		}
	}
}

// stop commits what was queued before it, and has everything after it refused.
func (r *Replica) stop() {
	r.mu.Lock()
	r.stopped = true
	r.mu.Unlock()
	for len(r.queue) > 0 {
		r.commit(r.gather(<-r.queue))
	}
}

// gather takes what has queued up behind first, within the bounds of a batch.
func (r *Replica) gather(first *item) []*item {
	items, size := []*item{first}, first.size()
	for len(items) < batchItems && size < batchBytes {
		select {
		case it := <-r.queue:
			items, size = append(items, it), size+it.size()
		default:
			return items
		}
	}
	return items
}

func (it *item) size() int {
	size := 0
	for _, rec := range it.absorb {
		size += len(rec.Key) + len(rec.Value)
	}
	if it.req != nil {
		size += len(it.req.Key) + len(it.req.Record.Value)
	}
	return size
}

// commit judges the items in order, makes what they change durable in one step, and answers.
func (r *Replica) commit(items []*item) {
	b := &batch{r: r, states: map[int]*state{}, records: make(map[string]int, len(items))}
	for _, it := range items {
		b.judge(it)
	}
	err := b.apply()
	for _, it := range items {
		switch {
		case err != nil && it.staged:
			it.respond(refusal(err))
		case it.req != nil && it.answer.Status == pull:
			r.await(it.slot, it.req.Config, it.req, it.respond)
		case it.req != nil && it.answer.Status == wire.OK && it.req.Op == wire.OpRead:
			r.read(it.req, it.respond)
		case it.req != nil && it.answer.Status == wire.OK && (pulls(it.req.Op) || it.req.Op == wire.OpGuard):
			if !r.spawn(func() { r.answerPull(it.req, it.respond) }) { // a page takes long to look up, and many are asked for at a time
				it.respond(stopping)
			}
		default:
			it.respond(it.answer)
		}
	}
	r.opt.Metrics.committed(len(b.out.Records), err)
}

// refusal puts a store's error into the protocol's words: ErrFull is definite, everything else leaves doubt.
func refusal(err error) wire.Response {
	if errors.Is(err, store.ErrFull) {
		return wire.Response{Status: wire.Full, Detail: "has no space left on its disk"}
	}
	return wire.Response{Status: wire.Failed, Detail: "could not write to its disk: " + err.Error()}
}

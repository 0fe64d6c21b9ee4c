package replica

import (
	"context"
	"errors"
	"maps"
	"slices"
	"strings"
	"time"

	"ringkv/hashring"
	"ringkv/hashring/placement"
	"ringkv/node/wire"
)

const (
	pullPatience = 1500 * time.Millisecond // how long requests wait for a key to be pulled
	pullAgain    = 50 * time.Millisecond   // until those that didn't answer are asked again
	maxContacts  = 32                      // asked in one pull at a time
)

// errOvertaken ends a pull because this node has promised a later config, or must.
var errOvertaken = errors.New("a later config has been promised")

// A collection asks all who may hold something of a slot's past what that is. It is complete when nothing that was acknowledged in any earlier config can
// have been missed.
type collection struct {
	r       *Replica
	slot    int
	s       *state // of this node, at the start
	req     *wire.Request
	replies chan wire.Reply
	room    int               // in replies
	hasty   bool              // give up rather than ask anyone again
	only    *placement.Config // if given, nobody but its owners is asked
	silent  *silence          // if given, identities that aren't asked; those whose answer run has waited for in vain are added
	tried   map[string]bool   // who isn't asked again yet
	asked   map[string]string // node id -> identity, while its answer is out
	got     map[string]*wire.Pulled
	because map[string]string // why a contact did not answer
}

func (r *Replica) newCollection(slot int, s *state, req *wire.Request) *collection {
	return &collection{
		r: r, slot: slot, s: s, req: req, replies: make(chan wire.Reply, maxContacts), room: maxContacts,
		tried: map[string]bool{}, asked: map[string]string{}, got: map[string]*wire.Pulled{}, because: map[string]string{},
	}
}

// run asks until the collection is complete, or ctx is done. Who failed is asked again every pullAgain.
func (c *collection) run(ctx context.Context) error {
	again := time.NewTicker(pullAgain)
	defer again.Stop()
	for !c.complete() {
		c.ask(ctx)
		if c.hasty && len(c.asked) == 0 {
			return c.incomplete()
		}
		select {
		case reply := <-c.replies:
			if err := c.take(ctx, reply); err != nil {
				return err
			}
		case <-again.C:
			clear(c.tried)
		case <-ctx.Done():
			c.giveUp()
			return c.incomplete()
		}
		if !c.r.slots[c.slot].Load().Promised.Equal(c.s.Promised) {
			return errOvertaken
		}
	}
	// A process that was halted may have answers that are too old: see doubtPatience.
	if deadline, ok := ctx.Deadline(); ok && !time.Now().Before(deadline) {
		return c.incomplete()
	}
	return nil
}

// giveUp notes whose answers are still out.
func (c *collection) giveUp() {
	for _, identity := range c.asked {
		c.because[identity] = "does not answer"
		c.silent.note(identity)
	}
}

// ask sends the question to every contact that has neither answered, nor has it before it, nor failed just now.
func (c *collection) ask(ctx context.Context) {
	deadline := time.Now().Add(pullPatience)
	if d, ok := ctx.Deadline(); ok {
		deadline = d
	}
	contacts := c.contacts()
	if c.only != nil {
		contacts = []*placement.Config{c.only}
	}
	for _, contact := range contacts {
		for _, identity := range contact.Owners {
			c.askOne(identity, contact, deadline)
		}
	}
}

func (c *collection) askOne(identity string, config *placement.Config, deadline time.Time) {
	if _, done := c.got[identity]; done || c.tried[identity] || identity == c.r.self || c.room == 0 || c.r.lost(identity) {
		return
	}
	owner := c.r.locate(identity)
	if _, out := c.asked[owner.ID]; out {
		return
	}
	if !owner.Passing {
		c.because[identity] = "is not passing its check"
		return
	}
	if c.silent.has(identity) {
		c.because[identity] = "has not answered for another slot just now"
		return
	}
	c.tried[identity], c.asked[owner.ID], c.room = true, identity, c.room-1
	c.r.opt.Peers.Send(owner.ID, owner.Addr, c.req, deadline, c.replies)
}

// contacts returns the configs whose owners may know something: those of the placement's history, those that this node
// remembers, and those that others have told of.
func (c *collection) contacts() []*placement.Config {
	configs := c.r.known(c.slot, c.s)
	for _, got := range c.got {
		configs = append(configs, got.History...)
		if got.Settled != nil {
			configs = append(configs, got.Settled)
		}
	}
	return configs
}

// take counts one reply. Those who have promised a later config end the collection, once this node has promised it as well.
func (c *collection) take(ctx context.Context, reply wire.Reply) error {
	identity, resp := c.asked[reply.Node], reply.Response
	delete(c.asked, reply.Node)
	c.room++
	switch {
	case reply.Err != nil:
		c.because[identity] = reply.Err.Error()
		if errors.Is(reply.Err, wire.ErrNoAnswer) { // which comes when run's time is up, or just before
			c.silent.note(identity)
		}
	case resp.Status == wire.OK && resp.Pulled != nil && resp.Pulled.Node != identity:
		c.because[identity] = "is another by now: its disk is not the one it had"
	case resp.Status == wire.OK && resp.Pulled != nil && resp.Pulled.Same && c.req.Digest == 0:
		c.because[identity] = "says that it holds the same, of which it wasn't told"
	case resp.Status == wire.OK && resp.Pulled != nil && !c.fits(resp.Pulled):
		c.because[identity] = "answers with keys that it wasn't asked for"
	case resp.Status == wire.OK && resp.Pulled != nil:
		c.got[identity] = resp.Pulled
	case resp.Status == wire.Stale && resp.Config != nil && resp.Config.Generation > c.req.Config.Generation:
		if err := c.r.change(ctx, &item{slot: c.slot, promise: resp.Config}); err != nil {
			return err
		}
		return errOvertaken
	default:
		c.because[identity] = resp.Detail
	}
	return nil
}

// fits reports whether p is about what was asked: else a key that is sought in it would be taken for absent there.
func (c *collection) fits(p *wire.Pulled) bool {
	last := c.req.After
	for i := range p.Records {
		key := p.Records[i].Key
		if c.req.Key != "" && (i > 0 || key != c.req.Key) || key <= last || hashring.SlotOf(key) != c.slot {
			return false
		}
		last = key
	}
	return !p.More || len(p.Records) > 0
}

// incomplete names those that have not answered, and why.
func (c *collection) incomplete() error {
	if len(c.because) == 0 {
		return errors.New("waits for the slot's earlier owners: no answer yet")
	}
	var said []string
	for _, identity := range slices.Sorted(maps.Keys(c.because)) {
		id, _, _ := strings.Cut(identity, "/")
		said = append(said, id+" "+c.because[identity])
	}
	return errors.New("waits for the slot's earlier owners: " + strings.Join(said, ", "))
}

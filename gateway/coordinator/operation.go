package coordinator

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"ringkv/hashring/placement"
	"ringkv/node/record"
	"ringkv/node/wire"
)

// An operation is one read or write from its first request to its answer. One goroutine owns it.
type operation struct {
	c        *Coordinator
	ctx      context.Context
	key      string
	began    time.Time
	deadline time.Time

	config *placement.Config
	owners []placement.Owner // of config, in ring order
	w, r   int

	above record.Version // a ballot must be above this: what refused an earlier one
	tries int
	notes []note // what went wrong last, by owner
}

type note struct{ node, what string }

// errAgain asks the caller to do the step once more, in the config that the operation stands in by now.
var errAgain = errors.New("try again")

// begin starts an operation on key in the config that the current view gives.
func (c *Coordinator) begin(ctx context.Context, key string) (*operation, error) {
	now := time.Now()
	o := &operation{c: c, ctx: ctx, key: key, began: now, deadline: now.Add(c.opt.Timeout)}
	if d, ok := ctx.Deadline(); ok && d.Before(o.deadline) {
		o.deadline = d
	}
	return o, o.refresh()
}

// refresh enters the config of the key's slot in the current view, unless an owner has told of a later one. It also
// learns anew which owners pass.
func (o *operation) refresh() error {
	view := o.c.view()
	if view == nil {
		return &Error{Err: ErrNoRing, None: true, Detail: "it isn't known yet which nodes there are: wait for the first ones to pass their checks, unless /health-check names another reason"}
	}
	slot := view.Slot(o.key)
	config, owners := view.Config(slot), view.Owners(slot)
	if o.config != nil && o.config.Generation > config.Generation {
		config, owners = o.config, view.Locate(o.config)
	}
	o.config, o.owners = config, owners
	o.w, o.r = o.c.quorums(len(owners))
	if len(owners) == 0 {
		return &Error{Err: ErrNoRing, None: true, Detail: "the ring has no nodes yet: wait for the first ones to pass their checks, unless /health-check names another reason"}
	}
	return nil
}

// follow goes on in the config that an owner says it has promised. It asks for another try.
func (o *operation) follow(config *placement.Config) error {
	if config == nil || config.Generation <= o.config.Generation {
		return o.retry()
	}
	o.config = config
	if err := o.refresh(); err != nil {
		return err
	}
	return errAgain
}

// retry waits a little, longer each time, before it asks for another try; errTimeUp when there is no time left for its
// answers: what is certain by now must not come into doubt through a try that is cut short.
func (o *operation) retry() error {
	o.tries++
	wait := time.Millisecond << min(o.tries, 5)
	wait = wait/2 + time.Duration(o.c.opt.Random()*float64(wait))
	if time.Until(o.deadline) < wait+o.c.opt.HedgeAfter {
		return errTimeUp
	}
	timer := time.NewTimer(wait)
	defer timer.Stop()
	select {
	case <-o.ctx.Done():
		return errTimeUp
	case <-timer.C:
	}
	if err := o.refresh(); err != nil {
		return err
	}
	return errAgain
}

var errTimeUp = errors.New("time is up")

// candidates returns the owners that pass, those likeliest to answer soon first.
func (o *operation) candidates() []placement.Owner {
	good := make([]placement.Owner, 0, len(o.owners))
	var fetchers, silent []placement.Owner
	for _, owner := range o.owners {
		switch {
		case !owner.Passing:
			o.note(owner.ID, "is not passing its check")
		case o.c.peers.Silent(owner.ID):
			silent = append(silent, owner)
		case o.c.fetchers.has(owner.ID):
			fetchers = append(fetchers, owner)
		case owner.ID == o.c.opt.Here:
			good = slices.Insert(good, 0, owner)
		default:
			good = append(good, owner)
		}
	}
	return append(append(good, fetchers...), silent...)
}

func (o *operation) note(node, what string) {
	for i := range o.notes {
		if o.notes[i].node == node {
			o.notes[i].what = what
			return
		}
	}
	o.notes = append(o.notes, note{node, what})
}

// noteReply remembers why a reply was not the one hoped for.
func (o *operation) noteReply(r wire.Reply) {
	switch {
	case r.Err != nil:
		o.note(r.Node, r.Err.Error())
	case r.Response.Detail != "":
		o.note(r.Node, r.Response.Detail)
	default:
		o.note(r.Node, "answered "+r.Response.Status.String())
	}
}

// failure says which quorum was missed and what each owner had to say.
func (o *operation) failure(sentinel error, none bool, got, need int, did string) *Error {
	detail := fmt.Sprintf("%d of %d needed replicas %s", got, need, did)
	var said []string
	for _, n := range o.notes {
		said = append(said, n.node+" "+n.what)
	}
	if len(said) > 0 {
		detail += ": " + strings.Join(said, ", ")
	}
	return &Error{Err: sentinel, None: none, Detail: detail}
}

package coordinator

import (
	"slices"

	"ringkv/hashring/placement"
	"ringkv/node/record"
	"ringkv/node/wire"
)

// found is the newest record among the answers of some owners.
type found struct {
	answers int // of so many
	record  record.Record
	whole   bool           // its value came along
	virtual bool           // all owners know that the key is deleted
	holders []string       // those that hold exactly this version, and have accepted it
	soft    bool           // others hold it without having accepted it
	above   record.Version // a new version must be above this
}

// add counts in what the node answered; whole says whether the value came along.
func (f *found) add(node string, resp *wire.Response, whole bool) {
	f.answers++
	f.above = later(f.above, later(resp.Record.Version, resp.Version))
	switch c := resp.Record.Version.Compare(f.record.Version); {
	case c < 0:
		return
	case c > 0:
		*f = found{answers: f.answers, above: f.above, holders: f.holders[:0]}
	}
	if f.record.Version.IsZero() || whole {
		f.record, f.whole = resp.Record, whole
	}
	f.virtual = f.virtual || resp.Virtual
	if resp.Firm {
		f.holders = append(f.holders, node)
	} else {
		f.soft = true
	}
}

func later(a, b record.Version) record.Version {
	if b.After(a) {
		return b
	}
	return a
}

// Which answers bring the value along.
type values int

const (
	noValues values = iota
	oneValue        // the owner asked first, and those asked in its place
	allValues
)

// ask asks owners what they hold of the key until `need` of them have answered in one config. need is asked anew in each
// config, since it depends on the number of owners.
func (o *operation) ask(need func() int, v values) (found, error) {
	for {
		f, err := o.askOnce(need(), v)
		if err != errAgain {
			return f, err
		}
	}
}

// askOnce sends the question to as many owners as are needed, to the next one for each that fails, and to all that are
// left when answers are slow to come. Those that refused are then asked again: the quorum must not hang on the one that
// says nothing.
func (o *operation) askOnce(need int, v values) (found, error) {
	candidates := o.candidates()
	if len(candidates) < need {
		return found{}, o.failure(ErrQuorumUnavailable, true, len(candidates), need, "could be asked")
	}
	a := &asking{round: o.round(), left: candidates}
	defer a.end()
	for i := range need {
		a.ask(v == allValues || v == oneValue && i == 0)
	}
	f := found{holders: make([]string, 0, need)}
	for f.answers < need {
		if a.pending == 0 {
			return found{}, a.missed(f.answers, need)
		}
		r, event := a.next()
		switch {
		case event == over:
			return found{}, a.missed(f.answers, need)
		case event == slow:
			a.hurry(v != noValues)
		case r.Err == nil && r.Response.Status == wire.OK:
			f.add(r.Node, &r.Response, slices.Contains(a.whole, r.Node))
		case r.Err == nil && r.Response.Status == wire.Stale:
			return found{}, o.follow(r.Response.Config)
		default:
			a.refused(r)
			a.ask(v != noValues)
		}
	}
	return f, nil
}

// asking is one round of questions.
type asking struct {
	*round
	left       []placement.Owner // to be asked
	again      []placement.Owner // refused, and to be asked once more if the others don't answer
	whole      []string          // who was asked for the value too
	overloaded bool
}

// ask asks the next owner, if there is one left.
func (a *asking) ask(whole bool) {
	if len(a.left) == 0 {
		return
	}
	owner := a.left[0]
	a.left = a.left[1:]
	if whole {
		a.whole = append(a.whole, owner.ID)
	}
	a.send(owner, &wire.Request{Op: wire.OpRead, Config: a.o.config, Key: a.o.key, HeadOnly: !whole})
}

// hurry asks all that are left, since those asked are slow to answer.
func (a *asking) hurry(whole bool) {
	if len(a.left) > 0 {
		a.o.c.opt.Metrics.hedged()
	}
	if a.inTime() {
		a.left, a.again = append(a.left, a.again...), nil
	}
	for len(a.left) > 0 {
		a.ask(whole)
	}
}

func (a *asking) refused(r wire.Reply) {
	a.o.noteReply(r)
	if r.Response.Status == wire.Overloaded { // trying again would add to the load
		a.overloaded = true
		return
	}
	a.again = a.o.appendOwner(a.again, r.Node)
}

// missed ends a round that can't get enough answers: with another try while there is time for one, else with the failure.
func (a *asking) missed(got, need int) error {
	if a.overloaded { // trying again would add to the load
		return a.o.failure(ErrOverloaded, true, got, need, "answered")
	}
	if a.pending == 0 {
		if err := a.o.retry(); err != errTimeUp {
			return err
		}
	}
	return a.o.failure(ErrQuorumUnavailable, true, got, need, "answered")
}

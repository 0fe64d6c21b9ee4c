package coordinator

import (
	"slices"

	"ringkv/hashring/placement"
	"ringkv/node/record"
	"ringkv/node/wire"
)

// An answer is what one owner holds of the key.
type answer struct {
	node    string
	record  record.Record
	whole   bool           // the value came along
	firm    bool           // the record counts as accepted there
	virtual bool           // the record stands for a tombstone that was collected
	above   record.Version // what a new version must be above besides the record's
}

// found is the newest record among some answers.
type found struct {
	record  record.Record
	whole   bool           // its value came along
	virtual bool           // all owners know that the key is deleted
	holders []string       // those that hold exactly this version, and have accepted it
	soft    bool           // others hold it without having accepted it
	above   record.Version // a new version must be above this
}

func newest(answers []answer) (f found) {
	for _, a := range answers {
		f.above = later(f.above, later(a.record.Version, a.above))
		switch c := a.record.Version.Compare(f.record.Version); {
		case c < 0:
			continue
		case c > 0:
			f = found{above: f.above, holders: f.holders[:0]}
		}
		if f.record.Version.IsZero() || a.whole {
			f.record, f.whole = a.record, a.whole
		}
		f.virtual = f.virtual || a.virtual
		if a.firm {
			f.holders = append(f.holders, a.node)
		} else {
			f.soft = true
		}
	}
	return f
}

func later(a, b record.Version) record.Version {
	if b.After(a) {
		return b
	}
	return a
}

// answered is the answer in a reply that is OK.
func answered(r wire.Reply, whole bool) answer {
	resp := &r.Response
	return answer{node: r.Node, record: resp.Record, whole: whole, firm: resp.Firm, virtual: resp.Virtual, above: resp.Version}
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
func (o *operation) ask(need func() int, v values) ([]answer, error) {
	for {
		answers, err := o.askOnce(need(), v)
		if err != errAgain {
			return answers, err
		}
	}
}

// askOnce sends the question to as many owners as are needed, to the next one for each that fails, and to all that are
// left when answers are slow to come. Those that refused are then asked again: the quorum must not hang on the one that
// says nothing.
func (o *operation) askOnce(need int, v values) ([]answer, error) {
	candidates := o.candidates()
	if len(candidates) < need {
		return nil, o.failure(ErrQuorumUnavailable, true, len(candidates), need, "could be asked")
	}
	a := &asking{round: o.round(), left: candidates}
	defer a.end()
	for i := range need {
		a.ask(v == allValues || v == oneValue && i == 0)
	}
	answers := make([]answer, 0, need)
	for len(answers) < need {
		if a.pending == 0 {
			return nil, a.missed(len(answers), need)
		}
		r, event := a.next()
		switch {
		case event == over:
			return nil, a.missed(len(answers), need)
		case event == slow:
			a.hurry(v != noValues)
		case r.Err == nil && r.Response.Status == wire.OK:
			o.c.noteFetched(r)
			answers = append(answers, answered(r, slices.Contains(a.whole, r.Node)))
		case r.Err == nil && r.Response.Status == wire.Stale:
			return nil, o.follow(r.Response.Config)
		default:
			a.refused(r)
			a.ask(v != noValues)
		}
	}
	return answers, nil
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

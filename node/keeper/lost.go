package keeper

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"ringkv/hashring/placement"
)

// A Loss is what giving nodes up comes to.
type Loss struct {
	Lost       []string         `json:"lost"`       // their identities, as the placement names them
	Generation uint64           `json:"generation"` // of the placement that says so
	Nodes      int              `json:"nodes"`      // that are left in it
	Settled    bool             `json:"settled"`    // nothing was moving: otherwise the figures are what may happen at worst
	Slots      placement.Losses `json:"slots"`
	Detail     string           `json:"detail"` // the same as a sentence
	Written    bool             `json:"written"`
}

// lose proposes the placement without the nodes of these names, which are gone for good, and with those that pass and aren't in it
// yet: they are likely to have been started in their place.
func (s *state) lose(named []string) (*Loss, *placement.Document, error) {
	base, _ := s.newest()
	if base == nil {
		return nil, nil, refuse("there is no placement, so that no node can be lost from it")
	}
	lost, err := s.resolve(base, named)
	if err != nil {
		return nil, nil, err
	}
	left, unheard := s.others(base, lost)
	switch {
	case len(unheard) > 0 && s.doubt():
		return nil, nil, refuse("Consul doesn't hold %s, and not all others say what they remember: %s; start them, or name them as well",
			s.doubtful(base), names(unheard))
	case 2*len(unheard) > left: // Consul may have been restored from an old snapshot, and those who have seen a later placement not be listed again yet
		return nil, nil, refuse("most of the nodes that would be left don't say whether there was a later placement: %s; start them, or name them as well",
			names(unheard))
	}
	byID, joined := s.without(base, lost)
	if len(byID) == 0 {
		return nil, nil, refuse("no node would be left: start new nodes first")
	}
	doc, err := placement.NextLost(base, listed(byID), lost, describeLost(lost, joined))
	if err == nil {
		doc, err = doc.Above(s.promised())
	}
	if err != nil {
		return nil, nil, err
	}
	loss := &Loss{Lost: lost, Generation: doc.Generation, Nodes: len(doc.Nodes), Settled: s.settledWithout(base, lost)}
	if loss.Slots, err = base.Losses(lost, loss.Settled); err != nil {
		return nil, nil, err
	}
	loss.Detail = loss.sentence()
	return loss, doc, nil
}

// resolve finds the identities that what was named stands for: an id for all that it has had on disks that don't pass.
func (s *state) resolve(d *placement.Document, named []string) ([]string, error) {
	passing := map[string]bool{}
	for _, c := range s.passing {
		passing[c.identity()] = true
	}
	var lost []string
	for _, name := range named {
		id, _, whole := strings.Cut(name, "/")
		known := d.Identities(id)
		if whole {
			known = slices.DeleteFunc(known, func(identity string) bool { return identity != name })
		}
		absent := slices.DeleteFunc(slices.Clone(known), func(identity string) bool { return passing[identity] })
		switch {
		case len(known) == 0:
			return nil, refuse("the placement and its log don't know this node: /ring and the key in Consul name those that they know")
		case len(absent) == 0:
			return nil, refuse("node %s passes its checks, so it isn't lost: stop it first, or let it leave (POST /leave there)", id)
		}
		for _, identity := range absent {
			if !slices.Contains(lost, identity) && !d.IsLost(identity) {
				lost = append(lost, identity)
			}
		}
	}
	if len(lost) == 0 {
		return nil, refuse("these nodes were given up already")
	}
	return lost, nil
}

// without returns the nodes of d but for the lost ones, with those that pass and aren't in it, and the ids of these.
func (s *state) without(d *placement.Document, lost []string) (byID map[string]placement.Node, joined []string) {
	byID = map[string]placement.Node{}
	for _, n := range d.Nodes {
		if !slices.Contains(lost, placement.Identity(n.ID, n.Disk)) {
			byID[n.ID] = n
		}
	}
	for _, c := range s.passing {
		if _, there := byID[c.ID]; !there && s.fit(c) && !d.Departed(c.identity()) {
			byID[c.ID], joined = nodeOf(c), append(joined, c.ID)
		}
	}
	return byID, joined
}

// others returns how many nodes of d aren't lost, and those of them that haven't said what they remember.
func (s *state) others(d *placement.Document, lost []string) (left int, unheard []string) {
	missing := s.missing(d)
	for _, n := range d.Nodes {
		if slices.Contains(lost, placement.Identity(n.ID, n.Disk)) {
			continue
		}
		left++
		if slices.Contains(missing, n.ID) {
			unheard = append(unheard, n.ID)
		}
	}
	return left, unheard
}

// settledWithout reports whether all nodes of d but the lost ones hold everything that d gives them.
func (s *state) settledWithout(d *placement.Document, lost []string) bool {
	for _, n := range d.Nodes {
		if p, ok := s.progress[n.ID]; !slices.Contains(lost, placement.Identity(n.ID, n.Disk)) && (!ok || !p.Settled(d)) {
			return false
		}
	}
	return true
}

func describeLost(lost, joined []string) string {
	ids := make([]string, len(lost))
	for i, identity := range lost {
		ids[i], _, _ = strings.Cut(identity, "/")
	}
	why := names(ids) + " given up for good"
	if len(joined) > 0 {
		why += "; " + names(joined) + " joined"
	}
	return why
}

func (l *Loss) sentence() string {
	if l.Slots.Short+l.Slots.Empty == 0 {
		return fmt.Sprintf("no slot loses anything: enough copies are left of all %d", l.Slots.Whole)
	}
	may := ""
	if !l.Settled {
		may = ", at worst, as not all slots have settled"
	}
	return fmt.Sprintf("acknowledged writes may be lost%s: %d slots are served with the copies that are left, which may lack the latest writes, and %d slots begin empty; %d slots lose nothing. Start the nodes instead if their disks can be saved",
		may, l.Slots.Short, l.Slots.Empty, l.Slots.Whole)
}

// AsRefusal returns the refusal in err, nil if there is none.
func AsRefusal(err error) *Refusal {
	var r *Refusal
	if errors.As(err, &r) {
		return r
	}
	return nil
}

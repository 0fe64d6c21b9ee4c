package keeper

import (
	"fmt"

	"ringkv/hashring/placement"
)

// uncertain reports whether Consul was out of reach lately, so that what it says may be old or not all there yet.
func (s *state) uncertain() bool { return !s.outage.IsZero() && s.now.Sub(s.outage) < calm }

// quiet reports whether it's long enough that Consul is back, and that a node came or went, to hear all who may know what it has lost.
func (s *state) quiet() bool { return s.now.Sub(s.outage) >= hush && s.now.Sub(s.changed) >= hush }

// forgotten reports whether Consul has plainly lost newest: it holds nothing as late, and all that pass have been heard. Then newest
// needn't wait until all is certain, as nothing moves by writing it again, and whoever starts meanwhile knows no placement.
func (s *state) forgotten(newest *placement.Document) bool {
	if newest == nil || s.stored != nil && s.stored.Generation >= newest.Generation || !s.quiet() {
		return false
	}
	for _, c := range s.passing {
		if _, answered := s.reports[c.ID]; !answered {
			return false
		}
	}
	return true
}

// newest returns the document of the highest generation that anybody knows, Consul's where several know one, nil if nobody
// knows any. It is disputed if somebody knows another one of that generation.
func (s *state) newest() (d *placement.Document, disputed bool) {
	d = s.stored
	consider := func(r *placement.Document) {
		switch {
		case r == nil:
		case d == nil || r.Generation > d.Generation:
			d, disputed = r, false
		case r.Generation == d.Generation && !r.Same(d):
			disputed = true
		}
	}
	consider(s.own)
	for _, c := range s.passing {
		consider(s.reports[c.ID])
	}
	return d, disputed
}

// promised returns the highest generation that a slot of anybody has promised.
func (s *state) promised() (highest uint64) {
	for _, p := range s.progress {
		highest = max(highest, p.Promised)
	}
	return highest
}

// doubt reports whether anybody knows something that Consul doesn't hold, or nobody knows anything.
func (s *state) doubt() bool {
	newest, disputed := s.newest()
	return newest == nil || newest != s.stored || disputed || s.promised() > newest.Generation
}

// doubtful says what Consul doesn't hold.
func (s *state) doubtful(newest *placement.Document) string {
	if promised := s.promised(); newest == s.stored && promised > newest.Generation {
		return fmt.Sprintf("generation %d, which slots of some nodes have promised", promised)
	}
	return fmt.Sprintf("generation %d, which nodes remember", newest.Generation)
}

// restore proposes lost once more, above everything that nodes know or have promised: a generation that is gone may have been promised
// by slots whose nodes remember less, and those would refuse another of the same number.
func (s *state) restore(lost *placement.Document) (*placement.Document, string, error) {
	if missing := s.missing(lost); 2*len(missing) >= len(lost.Nodes) {
		return nil, fmt.Sprintf("Consul doesn't hold %s; the placement is written again when a majority of its nodes answers: waiting for some of %s",
			s.doubtful(lost), names(missing)), nil
	}
	why := fmt.Sprintf("generation %d was gone from Consul; written again as its nodes remember it", lost.Generation)
	if promised := s.promised(); promised > lost.Generation {
		why = fmt.Sprintf("generation %d written again above %d, which slots of some nodes have promised and Consul has lost", lost.Generation, promised)
	}
	doc, err := placement.Next(lost, lost.Nodes, why)
	if err == nil {
		doc, err = doc.Above(s.promised())
	}
	return doc, why, err
}

// missing returns the nodes of d that don't pass, pass with another disk, or haven't answered what they remember.
func (s *state) missing(d *placement.Document) []string {
	heard := map[string]bool{}
	for _, c := range s.passing {
		_, answered := s.reports[c.ID]
		heard[c.ID] = answered && d.Has(c.ID, c.Disk)
	}
	var out []string
	for _, n := range d.Nodes {
		if !heard[n.ID] {
			out = append(out, n.ID)
		}
	}
	return out
}

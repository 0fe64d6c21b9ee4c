package keeper

import (
	"cmp"
	"errors"
	"fmt"
	"strings"
	"time"

	"ringkv/hashring/membership"
	"ringkv/hashring/placement"
)

const (
	settle   = 2 * time.Second  // how long a node passes before it counts: nodes started together come in together
	patience = 10 * time.Second // how long a node that is ready waits for others that have only just come
	calm     = time.Minute      // how long nothing is changed after Consul was out of reach
	hush     = 5 * time.Second  // how long what it has lost isn't written again after that, or after a node came or went
)

// A candidate is a node that passes.
type candidate struct {
	membership.Member
	since time.Time // when it was first seen passing, on this disk
}

// A state is all that a decision depends on.
type state struct {
	now            time.Time
	replicas       int                            // that this program was started with
	rebalanceAfter time.Duration                  // how long a node may be away before others take its place; 0: for ever
	away           map[string]time.Time           // by id of a node of stored that doesn't pass: since when
	outage         time.Time                      // when Consul was last found out of reach; zero if never
	changed        time.Time                      // when the set of passing nodes last changed
	passing        []candidate                    // sorted by id
	stored         *placement.Document            // what Consul holds; nil if the key does not exist
	own            *placement.Document            // what this node remembers; nil if nothing
	reports        map[string]*placement.Document // by id of a passing node that has answered: what it remembers; nil if nothing
	progress       map[string]Progress            // by id of a passing node that has answered: how far it has come; nil if nobody was asked
	stalled        bool                           // the move under way has not come on for long
}

// propose returns the document to write in place of s.stored and ok, or why there is none: empty if there is nothing to do.
func propose(s *state) (doc *placement.Document, why string, ok bool) {
	newest, _ := s.newest()
	var err error
	switch {
	case s.uncertain() && !s.forgotten(newest):
		why = fmt.Sprintf("Consul was out of reach within the last %v", calm)
	case newest == nil:
		doc, why, err = s.begin()
	case newest.Replicas != s.replicas:
		why = fmt.Sprintf("-replicas is %d here and %d in the placement: start this node with -replicas %d", s.replicas, newest.Replicas, newest.Replicas)
	case s.doubt():
		doc, why, err = s.restore(newest)
	default:
		doc, why, err = s.change()
	}
	if err != nil {
		return nil, fmt.Sprintf("no next placement: %v", err), false
	}
	return doc, why, doc != nil
}

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

// due reports whether a keeper could have something to propose, be it possible to this one or not.
func (s *state) due() bool {
	wish := s.wanted()
	newest, _ := s.newest()
	misfit := newest != nil && newest.Replicas != s.replicas
	return len(s.passing) > 0 && !s.uncertain() && (wish.why != "" && !s.held(wish) || misfit || s.doubt())
}

// begin proposes generation 0.
func (s *state) begin() (*placement.Document, string, error) {
	var nodes []placement.Node
	var ids, silent []string
	for _, c := range s.passing {
		if _, answered := s.reports[c.ID]; !answered {
			silent = append(silent, c.ID)
		}
		if s.fit(c) {
			nodes, ids = append(nodes, nodeOf(c)), append(ids, c.ID)
		}
	}
	switch {
	case len(nodes) == 0:
		return nil, cmp.Or(s.leftOut(), "no node passes yet"), nil
	case s.now.Sub(s.changed) < settle:
		return nil, "the first nodes are coming up", nil
	case len(silent) > 0:
		return nil, "not known whether these nodes remember a placement: " + names(silent), nil
	}
	why := "first nodes: " + names(ids)
	doc, err := placement.First(nodes, s.replicas, why)
	return doc, why, err
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

// change proposes what the passing nodes ask for.
func (s *state) change() (*placement.Document, string, error) {
	wish := s.wanted()
	if wish.why == "" {
		return nil, s.leftOut(), nil
	}
	if missing := s.missing(s.stored); 2*len(missing) > len(s.stored.Nodes) {
		return nil, fmt.Sprintf("held back (%s) while more than half of the placement is missing: %s", wish.why, names(missing)), nil
	}
	if s.held(wish) {
		return nil, fmt.Sprintf("held back (%s) until generation %d has settled: waiting for %s", wish.why, s.stored.Generation, names(s.moving())), nil
	}
	base, err := s.trimmed()
	if err != nil {
		return nil, wish.why, err
	}
	doc, err := placement.Next(base, wish.nodes, wish.why)
	return doc, wish.why, err
}

// A wish is the nodes that the placement should list.
type wish struct {
	nodes  []placement.Node
	why    string // what is new in that; empty if nothing is
	urgent bool   // slots are a copy short until it is so
}

// wanted returns the nodes that the stored placement should list. Nothing is new in that if it is worth waiting for nodes
// that have only just come.
func (s *state) wanted() wish {
	if s.stored == nil {
		return wish{}
	}
	byID := map[string]placement.Node{}
	for _, n := range s.stored.Nodes {
		byID[n.ID] = n
	}
	var joined, wiped, altered []string
	early, late := false, false
	for _, c := range s.passing {
		now, known := byID[c.ID]
		if !s.fit(c) || known && now == nodeOf(c) {
			continue
		}
		age := s.now.Sub(c.since)
		if age < settle {
			early = true
			continue
		}
		late = late || age >= patience
		switch {
		case !known:
			joined = append(joined, c.ID)
		case now.Disk != c.Disk:
			wiped = append(wiped, c.ID)
		default:
			altered = append(altered, c.ID)
		}
		byID[c.ID] = nodeOf(c)
	}
	if early && !late {
		return wish{}
	}
	gone := s.gone(byID)
	for _, id := range gone {
		delete(byID, id)
	}
	return wish{listed(byID), describe(joined, wiped, altered, gone), len(wiped)+len(gone) > 0}
}

func listed(byID map[string]placement.Node) []placement.Node {
	nodes := make([]placement.Node, 0, len(byID))
	for _, n := range byID {
		nodes = append(nodes, n)
	}
	return nodes
}

// gone returns the nodes of a placement that have been away for too long, none if fewer nodes than a key has copies would
// be left that pass: a failure never makes copies fewer.
func (s *state) gone(placed map[string]placement.Node) []string {
	if s.rebalanceAfter == 0 {
		return nil
	}
	left := 0
	for _, c := range s.passing {
		if n, ok := placed[c.ID]; ok && n.Disk == c.Disk {
			left++
		}
	}
	if left < s.replicas {
		return nil
	}
	var ids []string
	for _, n := range s.stored.Nodes {
		if since, ok := s.away[n.ID]; ok && placed[n.ID] == n && s.now.Sub(since) >= s.rebalanceAfter {
			ids = append(ids, n.ID)
		}
	}
	return ids
}

// fit reports whether c can stand in a placement of ours.
func (s *state) fit(c candidate) bool { return s.unfit(c) == nil }

func (s *state) unfit(c candidate) error {
	if c.Replicas != 0 && c.Replicas != s.replicas {
		return fmt.Errorf("-replicas is %d there and %d in the placement", c.Replicas, s.replicas)
	}
	if s.stored != nil && s.stored.IsLost(c.identity()) {
		return errors.New("it was given up for good: stop it, remove its data directory, and start it again as a new node")
	}
	if s.stored != nil && s.stored.HasLeft(c.identity()) {
		return errLeaving
	}
	return nodeOf(c).Validate()
}

// leftOut names the first node that passes and is in no placement for what it is; empty if there is none.
func (s *state) leftOut() string {
	for _, c := range s.passing {
		if err := s.unfit(c); err != nil && !errors.Is(err, errLeaving) {
			return fmt.Sprintf("node %s is left out: %v", c.ID, err)
		}
	}
	return ""
}

var errLeaving = errors.New("it was asked to leave")

func (c candidate) identity() string { return placement.Identity(c.ID, c.Disk) }

func nodeOf(c candidate) placement.Node {
	return placement.Node{ID: c.ID, Weight: c.Weight, Zone: c.Zone, Disk: c.Disk}
}

func describe(joined, wiped, altered, gone []string) string {
	var parts []string
	for _, p := range []struct {
		ids  []string
		what string
	}{{joined, "joined"}, {wiped, "came back with another disk"}, {altered, "changed weight or zone"}, {gone, "was away for too long"}} {
		if len(p.ids) > 0 {
			parts = append(parts, names(p.ids)+" "+p.what)
		}
	}
	return strings.Join(parts, "; ")
}

// names lists ids for people, a few of them.
func names(ids []string) string {
	const few = 5
	if len(ids) > few {
		return fmt.Sprintf("%s and %d more", strings.Join(ids[:few], ", "), len(ids)-few)
	}
	return strings.Join(ids, ", ")
}

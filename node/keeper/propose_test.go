package keeper

import (
	"cmp"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"ringkv/hashring/membership"
	"ringkv/hashring/placement"
)

var noon = time.Date(2026, 1, 2, 12, 0, 0, 0, time.UTC)

// member reads "id", with what differs from the usual behind it: "id/disk*weight@zone:replicas".
func member(t testing.TB, word string) membership.Member {
	t.Helper()
	m := membership.Member{Disk: "1", Replicas: 3}
	m.Weight = 1
	number := func(s string) int {
		n, err := strconv.Atoi(s)
		if err != nil {
			t.Fatal(err)
		}
		return n
	}
	for _, part := range split(word) {
		switch rest := part[1:]; part[0] {
		case '/':
			m.Disk = rest
		case '*':
			m.Weight = number(rest)
		case '@':
			m.Zone = rest
		case ':':
			m.Replicas = number(rest)
		default:
			m.ID, m.Addr = part, part+".example:5000"
		}
	}
	return m
}

// split cuts word before each mark.
func split(word string) []string {
	var parts []string
	for word != "" {
		i := 1 + strings.IndexAny(word[1:], "/*@:")
		if i == 0 {
			i = len(word)
		}
		parts, word = append(parts, word[:i]), word[i:]
	}
	return parts
}

// doc returns the document at the end of a chain of generations, one for each list of nodes.
func doc(t testing.TB, lists ...string) *placement.Document {
	t.Helper()
	return docOf(t, 3, lists...)
}

func docOf(t testing.TB, replicas int, lists ...string) *placement.Document {
	t.Helper()
	var d *placement.Document
	for i, l := range lists {
		var nodes []placement.Node
		for _, word := range strings.Fields(l) {
			nodes = append(nodes, nodeOf(candidate{Member: member(t, word)}))
		}
		var err error
		if i == 0 {
			d, err = placement.First(nodes, replicas, "test")
		} else {
			d, err = placement.Next(d, nodes, "test")
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	return d
}

// candidates reads words of member, each with "+seconds" that it has passed behind it, a minute if there are none.
func candidates(t testing.TB, words string) []candidate {
	t.Helper()
	var out []candidate
	for _, word := range strings.Fields(words) {
		name, age, _ := strings.Cut(word, "+")
		seconds, err := strconv.ParseFloat(cmp.Or(age, "60"), 64)
		if err != nil {
			t.Fatal(err)
		}
		out = append(out, candidate{member(t, name), noon.Add(-time.Duration(seconds * float64(time.Second)))})
	}
	slices.SortFunc(out, func(a, b candidate) int { return strings.Compare(a.ID, b.ID) })
	return out
}

// line writes a document as "generation: id/disk*weight@zone ...".
func line(d *placement.Document) string {
	if d == nil {
		return "nothing"
	}
	words := []string{fmt.Sprintf("%d:", d.Generation)}
	for _, n := range d.Nodes {
		word := n.ID
		if n.Disk != "1" {
			word += "/" + n.Disk
		}
		if n.Weight != 1 {
			word += fmt.Sprintf("*%d", n.Weight)
		}
		if n.Zone != "" {
			word += "@" + n.Zone
		}
		words = append(words, word)
	}
	return strings.Join(words, " ")
}

// answers are reports in which each node named before the colon remembers the document behind it.
func answers(pairs ...any) map[string]*placement.Document {
	reports := map[string]*placement.Document{}
	for i := 0; i < len(pairs); i += 2 {
		for _, id := range strings.Fields(pairs[i].(string)) {
			d, _ := pairs[i+1].(*placement.Document)
			reports[id] = d
		}
	}
	return reports
}

func TestPropose(t *testing.T) {
	abc := doc(t, "a b c")
	abcd := doc(t, "a b c", "a b c d")
	other := doc(t, "a b c", "a b c e")
	long := doc(t, "a b c", "a b c", "a b c", "a b c", "a b c")
	odd := strings.Repeat("x", 300)
	for _, tt := range []struct {
		name     string
		stored   *placement.Document
		own      *placement.Document
		passing  string
		quiet    float64 // seconds since the passing nodes last changed; 0 means 60
		outage   float64 // seconds since Consul was out of reach; 0 means never
		reports  map[string]*placement.Document
		promised map[string]uint64 // the highest generation that slots of a node have promised
		replicas int               // 0 means 3
		want     string
		why      string
	}{
		// The first document.
		{name: "nobody", want: "nothing", why: "no node passes yet"},
		{name: "first nodes", passing: "a b c", reports: answers("a b c", nil), want: "0: a b c", why: "first nodes: a, b, c"},
		{name: "fewer than replicas", passing: "a*2@z", reports: answers("a", nil), want: "0: a*2@z", why: "first nodes: a"},
		{name: "just come", passing: "a b c+1", quiet: 1, reports: answers("a b c", nil), want: "nothing", why: "coming up"},
		{name: "quiet again", passing: "a b c+2", quiet: 2, reports: answers("a b c", nil), want: "0: a b c", why: "first nodes"},
		{name: "one went meanwhile", passing: "a b", quiet: 1.9, reports: answers("a b", nil), want: "nothing", why: "coming up"},
		{name: "a silent one", passing: "a b c", reports: answers("a c", nil), want: "nothing", why: "remember a placement: b"},
		{name: "a silent one of other replicas", passing: "a b:2", reports: answers("a", nil), want: "nothing", why: "remember a placement: b"},
		{name: "one of other replicas", passing: "a b:2 c:0", reports: answers("a b c", nil), want: "0: a c", why: "first nodes: a, c"},
		{name: "only of other replicas", passing: "a:2", reports: answers("a", nil), want: "nothing", why: "node a is left out: -replicas is 2 there and 3"},
		{name: "Consul was away", passing: "a", outage: 59, reports: answers("a", nil), want: "nothing", why: "out of reach"},
		{name: "Consul was away long ago", passing: "a", outage: 61, reports: answers("a", nil), want: "0: a", why: "first nodes"},

		// Joins and changes.
		{name: "all well", stored: abc, passing: "a b c", want: "nothing"},
		{name: "one joins", stored: abc, passing: "a b c d+2", reports: answers("a b c", abc), want: "1: a b c d", why: "d joined"},
		{name: "one joins early", stored: abc, passing: "a b c d+1.9", reports: answers("a b c", abc), want: "nothing"},
		{name: "two join", stored: abc, passing: "a b c d+3 e+2", reports: answers("a b c", abc), want: "1: a b c d e", why: "d, e joined"},
		{name: "one waits for the other", stored: abc, passing: "a b c d+3 e+1", reports: answers("a b c", abc), want: "nothing"},
		{name: "but not for ever", stored: abc, passing: "a b c d+10 e+1", reports: answers("a b c", abc), want: "1: a b c d", why: "d joined"},
		{name: "one of other replicas stays out", stored: abc, passing: "a b c d:2", reports: answers("a b c", abc), want: "nothing", why: "node d is left out: -replicas is 2 there and 3"},
		{name: "one with an odd id stays out", stored: abc, passing: "a b c " + odd, reports: answers("a b c", abc), want: "nothing", why: "longer than 255"},
		{name: "and keeps out nobody else", stored: abc, passing: "a b c d " + odd, reports: answers("a b c", abc), want: "1: a b c d", why: "d joined"},
		{name: "a wiped disk", stored: abc, passing: "a b/2+2 c", reports: answers("a c", abc, "b", nil), want: "1: a b/2 c", why: "b came back with another disk"},
		{name: "a disk wiped just now", stored: abc, passing: "a b/2+1 c", reports: answers("a c", abc, "b", nil), want: "nothing"},
		{name: "weight and zone", stored: abc, passing: "a*3 b@z c", reports: answers("a b c", abc), want: "1: a*3 b@z c", why: "a, b changed weight or zone"},
		{name: "all at once", stored: abc, passing: "a b*2 c/2 d", reports: answers("a b", abc), want: "1: a b*2 c/2 d", why: "d joined; c came back with another disk; b changed weight or zone"},
		{name: "one away changes nothing", stored: abc, passing: "a b", want: "nothing"},
		{name: "one away and one joins", stored: abc, passing: "a b d", reports: answers("a b", abc), want: "1: a b c d", why: "d joined"},
		{name: "most are away", stored: abc, passing: "a d", reports: answers("a", abc), want: "nothing", why: "held back (d joined) while more than half of the placement is missing: b, c"},
		{name: "most are silent", stored: abc, passing: "a b c d", reports: answers("c", abc), want: "nothing", why: "missing: a, b"},
		{name: "most are wiped", stored: abc, passing: "a/2 b/2 c", reports: answers("a b", nil, "c", abc), want: "nothing", why: "missing: a, b"},
		{name: "half is away", stored: abcd, passing: "a b e", reports: answers("a b", abcd), want: "2: a b c d e", why: "e joined"},
		{name: "Consul was away", stored: abc, passing: "a b c d", outage: 1, reports: answers("a b c", abc), want: "nothing", why: "out of reach"},
		{name: "a node that is behind", stored: abcd, passing: "a b c d e", reports: answers("a", abc, "b c d", abcd, "e", nil), want: "2: a b c d e", why: "e joined"},
		{name: "another number of replicas", stored: abc, passing: "a b c d", reports: answers("a b c", abc), replicas: 2, want: "nothing", why: "-replicas is 2 here and 3 in the placement"},

		// The key is gone, or holds something older.
		{name: "gone, all remember", own: abc, passing: "a b c", reports: answers("a b c", abc), want: "1: a b c", why: "generation 0 was gone from Consul"},
		{name: "gone, a majority remembers", passing: "a b", reports: answers("a b", abc), want: "1: a b c", why: "generation 0 was gone"},
		{name: "gone, one remembers more", passing: "a b c", reports: answers("a b", abc, "c", abcd), want: "2: a b c d", why: "generation 1 was gone"},
		{name: "gone, a majority passes", passing: "a b c", reports: answers("a", long, "b c", abc), want: "5: a b c", why: "generation 4 was gone"},
		{name: "gone, too few answer", own: abc, passing: "a b c", reports: answers("a", abc), want: "nothing", why: "doesn't hold generation 0, which nodes remember; the placement is written again when a majority of its nodes answers: waiting for some of b, c"},
		{name: "gone, half answers", own: abcd, passing: "a b", reports: answers("a b", abcd), want: "nothing", why: "waiting for some of c, d"},
		{name: "gone, a wiped node doesn't count", passing: "a b/2", reports: answers("a", abc, "b", nil), want: "nothing", why: "waiting for some of b, c"},
		{name: "gone, only newcomers pass", passing: "x y", own: abc, reports: answers("x y", nil), want: "nothing", why: "waiting for some of a, b, c"},
		{name: "gone, newcomers don't come in with it", passing: "a b c d", reports: answers("a b c", abc, "d", nil), want: "1: a b c", why: "was gone"},
		{name: "gone, other replicas", own: abc, passing: "a b c", reports: answers("a b c", abc), replicas: 2, want: "nothing", why: "-replicas is 2 here and 3"},
		{name: "gone just after an outage", own: abc, passing: "a b c", outage: 3, reports: answers("a b c", abc), want: "nothing", why: "out of reach"},
		{name: "gone, but a node came just now", own: abc, passing: "a b c", outage: 6, quiet: 4, reports: answers("a b c", abc), want: "nothing", why: "out of reach"},
		{name: "gone, soon after an outage", own: abc, passing: "a b c", outage: 5, reports: answers("a b c", abc), want: "1: a b c", why: "generation 0 was gone"},
		{name: "gone, soon after an outage, one passes no more", own: abc, passing: "a b", outage: 5, reports: answers("a b", abc), want: "1: a b c", why: "generation 0 was gone"},
		{name: "gone, soon after an outage, one is silent", own: abc, passing: "a b c", outage: 5, reports: answers("a b", abc), want: "nothing", why: "out of reach"},
		{name: "gone, soon after an outage, a newcomer is silent", own: abc, passing: "a b c d", outage: 5, reports: answers("a b c", abc), want: "nothing", why: "out of reach"},
		{name: "gone, soon after an outage, too few answer", own: abc, passing: "a", outage: 5, reports: answers("a", abc), want: "nothing", why: "waiting for some of b, c"},
		{name: "nothing is known soon after an outage", passing: "a b c", outage: 5, reports: answers("a b c", nil), want: "nothing", why: "out of reach"},
		{name: "restored soon after an outage", stored: abc, passing: "a b c d", outage: 5, reports: answers("a b c d", abcd), want: "2: a b c d", why: "generation 1 was gone"},
		{name: "newcomers wait soon after an outage", stored: abc, passing: "a b c d", outage: 5, reports: answers("a b c d", abc), want: "nothing", why: "out of reach"},
		{name: "two of one generation soon after an outage", stored: abcd, passing: "a b c d", outage: 5, reports: answers("a b d", abcd, "c", other), want: "nothing", why: "out of reach"},
		{name: "promised beyond, soon after an outage", stored: abc, passing: "a b c", outage: 5, reports: answers("a b c", abc), promised: map[string]uint64{"b": 1}, want: "nothing", why: "out of reach"},

		// Slots have promised what nobody remembers.
		{name: "gone, promised beyond", passing: "a b c", reports: answers("a b c", abc), promised: map[string]uint64{"b": 2}, want: "3: a b c", why: "generation 0 written again above 2, which slots of some nodes have promised"},
		{name: "gone, promised beyond by a newcomer", passing: "a b c d", reports: answers("a b c", abc, "d", nil), promised: map[string]uint64{"d": 2}, want: "3: a b c", why: "above 2"},
		{name: "gone, promised as remembered", passing: "a b c d", reports: answers("a b c d", abcd), promised: map[string]uint64{"a": 1}, want: "2: a b c d", why: "generation 1 was gone"},
		{name: "promised beyond", stored: abc, passing: "a b c", reports: answers("a b c", abc), promised: map[string]uint64{"a": 1, "c": 4}, want: "5: a b c", why: "generation 0 written again above 4"},
		{name: "promised beyond, newcomers wait", stored: abc, passing: "a b c d", reports: answers("a b c d", abc), promised: map[string]uint64{"c": 1}, want: "2: a b c", why: "above 1"},
		{name: "promised beyond, too few answer", stored: abc, passing: "a b c", reports: answers("c", abc), promised: map[string]uint64{"c": 1}, want: "nothing", why: "doesn't hold generation 1, which slots of some nodes have promised; the placement is written again when a majority of its nodes answers: waiting for some of a, b"},
		{name: "promised as written", stored: abcd, passing: "a b c d", reports: answers("a b c d", abcd), promised: map[string]uint64{"a": 1}, want: "nothing"},
		{name: "restored from a snapshot", stored: abc, passing: "a b c d", reports: answers("a b c d", abcd), want: "2: a b c d", why: "generation 1 was gone"},
		{name: "restored, known by this node alone", stored: abc, own: abcd, passing: "a b c d", reports: answers("a b c", abc), want: "2: a b c d", why: "generation 1 was gone"},
		{name: "restored, too few answer", stored: abc, own: abcd, passing: "a b d", reports: answers("a b", abc), want: "nothing", why: "waiting for some of c, d"},
		{name: "two of one generation", stored: abcd, passing: "a b c d e", reports: answers("a b d", abcd, "c", other), want: "2: a b c d", why: "generation 1 was gone"},
		{name: "a stranger with a higher one", stored: abc, passing: "a b c x", reports: answers("a b c", abc, "x", doc(t, "x y z", "x y z", "x y z")), want: "nothing", why: "doesn't hold generation 2, which nodes remember; the placement is written again when a majority of its nodes answers: waiting for some of y, z"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			s := &state{
				now: noon, replicas: cmp.Or(tt.replicas, 3), stored: tt.stored, own: tt.own, reports: tt.reports,
				passing: candidates(t, tt.passing), changed: noon.Add(-time.Duration(cmp.Or(tt.quiet, 60) * float64(time.Second))),
			}
			for id, generation := range tt.promised {
				if s.progress == nil {
					s.progress = settledAt(0, tt.passing)
				}
				p := s.progress[id]
				p.Promised = generation
				s.progress[id] = p
			}
			if tt.outage != 0 {
				s.outage = noon.Add(-time.Duration(tt.outage * float64(time.Second)))
			}
			d, why, ok := propose(s)
			if line(d) != tt.want || ok != (d != nil) || !strings.Contains(why, tt.why) || (why == "") != (tt.why == "") {
				t.Errorf("propose = %s, %q, %v\nwant %s, %q", line(d), why, ok, tt.want, tt.why)
			}
			if ok && !strings.Contains(d.Why, tt.why) {
				t.Errorf("the document says %q, want %q", d.Why, tt.why)
			}
		})
	}
}

// TestARestoredPlacementKeepsItsConfigs: nothing moves because Consul forgot.
func TestARestoredPlacementKeepsItsConfigs(t *testing.T) {
	lost := doc(t, "a b c d", "a b c d e")
	s := &state{now: noon, replicas: 3, passing: candidates(t, "a b c d e"), reports: answers("a b c d e", lost)}
	d, _, ok := propose(s)
	if !ok {
		t.Fatal("nothing proposed")
	}
	before, err := lost.Configs()
	if err != nil {
		t.Fatal(err)
	}
	after, err := d.Configs()
	if err != nil {
		t.Fatal(err)
	}
	for slot := range after {
		if !after[slot].Equal(before[slot]) {
			t.Fatalf("config of slot %d = %v, want %v as before", slot, after[slot], before[slot])
		}
	}
}

func TestManyJoinAtOnce(t *testing.T) {
	var words []string
	for i := range 600 {
		words = append(words, fmt.Sprintf("node-%s-%03d", strings.Repeat("x", 200), i))
	}
	s := &state{now: noon, replicas: 3, stored: doc(t, "a"), passing: candidates(t, "a "+strings.Join(words, " ")), reports: answers("a", doc(t, "a"))}
	d, why, ok := propose(s)
	if !ok || len(d.Nodes) != 601 || !strings.Contains(why, "and 595 more joined") {
		t.Errorf("propose = %v, %q, want 601 nodes", ok, why)
	}
}

func TestTracker(t *testing.T) {
	var k tracker
	at := func(seconds int) time.Time { return noon.Add(time.Duration(seconds) * time.Second) }
	for _, tt := range []struct {
		second  int
		passing string
		since   []int
		changed int
	}{
		{0, "a b", []int{0, 0}, 0},
		{1, "a b", []int{0, 0}, 0},
		{2, "a b c", []int{0, 0, 2}, 2},
		{3, "a c", []int{0, 2}, 3},
		{4, "a b c", []int{0, 4, 2}, 4},     // back again, anew
		{5, "a b/2 c", []int{0, 5, 2}, 5},   // another disk is another node
		{6, "a*7 b/2 c", []int{0, 5, 2}, 5}, // another weight is not
		{7, "", nil, 7},
	} {
		snap := &membership.Snapshot{}
		for _, c := range candidates(t, tt.passing) {
			snap.Members = append(snap.Members, c.Member)
		}
		k.update(snap, at(tt.second))
		var since []int
		for _, c := range k.passing {
			since = append(since, int(c.since.Sub(noon).Seconds()))
		}
		if !slices.Equal(since, tt.since) || !k.changed.Equal(at(tt.changed)) {
			t.Errorf("second %d: %q since %v, changed %v, want %v, %d", tt.second, tt.passing, since, k.changed.Sub(noon), tt.since, tt.changed)
		}
	}
}

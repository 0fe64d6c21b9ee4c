package placement

import (
	"context"
	"fmt"
	"reflect"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil"

	"ringkv/hashring"
	"ringkv/hashring/following"
	"ringkv/hashring/membership"
)

var epoch = time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)

// passing returns a snapshot of the nodes named by the words of ids, each "id" or "id/disk", as of some seconds after epoch.
func passing(seconds int, ids string) *membership.Snapshot {
	s := &membership.Snapshot{Changed: epoch.Add(time.Duration(seconds) * time.Second)}
	for _, n := range list(ids) {
		m := membership.Member{Addr: n.ID + ".example:5000", Disk: n.Disk, Replicas: 3}
		m.ID, m.Weight, m.Zone = n.ID, n.Weight, n.Zone
		s.Members = append(s.Members, m)
	}
	return s
}

func view(t testing.TB, prev *View, d *Document, snap *membership.Snapshot) *View {
	t.Helper()
	v, err := prev.Next(d, snap)
	if err != nil {
		t.Fatal(err)
	}
	return v
}

// show describes all of a view's nodes in a line.
func show(v *View) string {
	var words []string
	for _, n := range v.Nodes() {
		words = append(words, "+"+n.ID+"@"+n.Addr)
	}
	for _, n := range v.Away() {
		words = append(words, fmt.Sprintf("-%s@%s:%.0fs", n.ID, n.Addr, n.Since.Sub(epoch).Seconds()))
	}
	for _, m := range v.Joining() {
		words = append(words, "?"+m.ID)
	}
	for _, m := range v.Refused() {
		words = append(words, "!"+m.ID)
	}
	return strings.ReplaceAll(strings.Join(words, " "), ".example:5000", "")
}

func TestViewTellsWhoIsAsked(t *testing.T) {
	d := chain(t, 3, "a/1 b/1 c/1")
	v, err := NewView(d, passing(0, "a/1 c/1"))
	if err != nil {
		t.Fatal(err)
	}
	for _, tt := range []struct {
		doc  *Document
		snap *membership.Snapshot
		want string
	}{
		{d, passing(0, "a/1 c/1"), "+a@a +c@c -b@:0s"},
		{d, passing(5, "a/1 b/1 c/1"), "+a@a +b@b +c@c"},
		{d, passing(6, "b/1 c/1"), "+b@b +c@c -a@a:6s"},
		{d, passing(7, "c/1"), "+c@c -a@a:6s -b@b:7s"},
		{d, passing(8, "a/1 c/1 d/1"), "+a@a +c@c -b@b:7s ?d"},
		{d, passing(9, "a/2 c/1 d/1"), "+c@c -a@a:9s -b@b:7s ?a ?d"}, // wiped: not the placement's node
		{next(t, d, list("a/2 c/1 d/1")), passing(9, "a/2 c/1 d/1"), "+a@a +c@c +d@d"},
		{d, passing(10, ""), "-a@a:10s -b@:10s -c@c:10s"},
	} {
		if v = view(t, v, tt.doc, tt.snap); show(v) != tt.want {
			t.Errorf("generation %d at %v: %s, want %s", tt.doc.Generation, tt.snap.Changed, show(v), tt.want)
		}
	}
}

func TestViewLeavesOutOtherReplicas(t *testing.T) {
	snap := passing(0, "a b c d")
	snap.Members[1].Replicas, snap.Members[2].Replicas, snap.Members[3].Replicas = 2, 0, 2
	v := view(t, nil, chain(t, 3, "a b c"), snap)
	if got, want := show(v), "+a@a +c@c -b@:0s !b !d"; got != want {
		t.Errorf("view shows %s, want %s", got, want)
	}
}

func TestViewOwnersFollowItsConfigs(t *testing.T) {
	d := chain(t, 3, "a b c d", "a b c d e")
	v := view(t, nil, d, passing(0, "a b d e"))
	configs, err := d.Configs()
	if err != nil {
		t.Fatal(err)
	}
	counts, total := map[string]int{}, 0
	for slot := range hashring.Slots {
		if got, want := v.Config(slot), configs[slot]; !got.Equal(want) {
			t.Fatalf("Config(%d) = %v, want %v", slot, got, want)
		}
		if slot%500 == 0 && !reflect.DeepEqual(v.History(slot), d.History(slot)) {
			t.Fatalf("History(%d) = %v, want %v", slot, v.History(slot), d.History(slot))
		}
		for i, id := range v.Config(slot).Owners {
			want := Owner{ID: id, Addr: id + ".example:5000", Passing: true}
			if id == "c" {
				want = Owner{ID: id}
			}
			if got := v.Owners(slot)[i]; got != want {
				t.Fatalf("Owners(%d)[%d] = %v, want %v", slot, i, got, want)
			}
			counts[id]++
			total++
		}
	}
	var share float64
	for _, n := range v.Nodes() {
		if n.Slots != counts[n.ID] {
			t.Errorf("%s has %d slots, want %d", n.ID, n.Slots, counts[n.ID])
		}
		share += n.Share
	}
	if want := 1 - float64(counts["c"])/float64(total); share < want-1e-9 || share > want+1e-9 {
		t.Errorf("the passing nodes' shares add up to %v, want %v", share, want)
	}
	if got, want := v.Slot("mykey1"), hashring.SlotOf("mykey1"); got != want {
		t.Errorf("Slot = %d, want %d", got, want)
	}
}

func TestLocateFindsOwnersOfConfigsThatTheViewDoesNotKnow(t *testing.T) {
	v := view(t, nil, chain(t, 3, "a b"), passing(0, "a c e/2"))
	got := v.Locate(&Config{Generation: 9, Owners: []string{"a", "b", "c", "d", "e/1", "e/2"}})
	want := []Owner{{"a", "a.example:5000", true}, {ID: "b"}, {"c", "c.example:5000", true}, {ID: "d"}, {ID: "e"}, {"e", "e.example:5000", true}}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("Locate = %v, want %v", got, want)
	}
}

func TestFounder(t *testing.T) {
	d := chain(t, 3, "a/1 b/1", "a/1 b/2 c/1")
	for _, tt := range []struct {
		d        *Document
		id, disk string
		want     bool
	}{
		{d, "a", "1", true}, {d, "b", "1", true}, {d, "b", "2", false}, {d, "c", "1", false}, {d, "x", "", false},
		{d.Trim(1), "a", "1", false}, // nobody needs to know any more
	} {
		if got := tt.d.Founder(tt.id, tt.disk); got != tt.want {
			t.Errorf("Founder(%s, %s) = %v, want %v", tt.id, tt.disk, got, tt.want)
		}
	}
}

func TestAViewWithAnotherSnapshotSharesItsTables(t *testing.T) {
	d := chain(t, 3, "a b c", "a b c d")
	v := view(t, nil, d, passing(0, "a b"))
	if again := view(t, v, d, passing(1, "a b c")); again.tables != v.tables {
		t.Error("the tables of an unchanged document were built again")
	}
}

func TestViewNeedsADocumentAndASnapshot(t *testing.T) {
	d := chain(t, 3, "a")
	bad := *d
	bad.Nodes = nil
	for _, tt := range []struct {
		d    *Document
		snap *membership.Snapshot
	}{{nil, passing(0, "a")}, {d, nil}, {&bad, passing(0, "a")}} {
		if v, err := NewView(tt.d, tt.snap); v != nil || err == nil {
			t.Errorf("NewView(%v, %v) = %v, %v, want an error", tt.d, tt.snap, v, err)
		}
	}
}

func TestFixedDocument(t *testing.T) {
	d, err := FixedDocument([]string{"127.0.0.1:5001", "127.0.0.1:5000"}, 3)
	if err != nil {
		t.Fatal(err)
	}
	if d.Generation != 0 || len(d.Nodes) != 2 || d.Nodes[0].ID != "127.0.0.1:5000" {
		t.Errorf("FixedDocument = %+v, want generation 0 of two sorted nodes", d)
	}
	for _, ids := range [][]string{nil, {"a", "a"}, {""}} {
		if d, err := FixedDocument(ids, 3); err == nil {
			t.Errorf("FixedDocument(%q) = %v, want an error", ids, d)
		}
	}
}

// A source is Documents and Members of the test's own.
type source struct {
	following.Followers
	docs    *Snapshot
	members *membership.Snapshot
	contact time.Time
}

func (s *source) LastContact() time.Time { return s.contact }

type docSource struct{ *source }

func (s docSource) Snapshot() *Snapshot { return s.docs }

type memberSource struct{ *source }

func (s memberSource) Snapshot() *membership.Snapshot { return s.members }

func TestViewsJoinsItsSources(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		docs, members, log, registry := &source{}, &source{}, &logBuffer{}, prometheus.NewRegistry()
		v := NewViews(ViewsOptions{Documents: docSource{docs}, Members: memberSource{members}, Log: log.logger(), Metrics: registry})
		ctx, cancel := context.WithCancel(t.Context())
		done := make(chan error, 1)
		go func() { done <- v.Run(ctx) }()
		woken := v.Subscribe()

		d := chain(t, 3, "a b c")
		publish := func(doc *Document, snap *membership.Snapshot) {
			synctest.Wait()
			docs.docs, members.members = &Snapshot{Document: doc}, snap
			docs.Wake()
			members.Wake()
			synctest.Wait()
		}
		want := func(wakes bool, shown, logged string) {
			t.Helper()
			select {
			case <-woken:
				if !wakes {
					t.Error("woken though nothing changed")
				}
			default:
				if wakes {
					t.Error("not woken")
				}
			}
			if got := v.View(); (got == nil) != (shown == "") || got != nil && show(got) != shown {
				t.Errorf("View() = %v, want %q", got, shown)
			}
			if logged != "" && strings.Count(log.String(), logged) != 1 {
				t.Errorf("log has %q not once:\n%s", logged, log.String())
			}
		}

		publish(nil, passing(0, "a b"))
		want(false, "", "")
		publish(d, nil)
		want(false, "", "")
		publish(d, passing(0, "a b"))
		want(true, "+a@a +b@b -c@:0s", `msg="ring changed" added="[a b]" removed=[] size=2 generation=0`)
		<-v.Ready()
		before := v.View()
		publish(d, passing(3, "a b"))
		want(false, "+a@a +b@b -c@:0s", "")
		if v.View() != before {
			t.Error("an equal view was swapped in")
		}
		publish(d, passing(4, "b c"))
		want(true, "+b@b +c@c -a@a:4s", "added=[c] removed=[a] size=2 generation=0")
		publish(next(t, d, list("b c")), passing(4, "b c"))
		want(true, "+b@b +c@c", "added=[] removed=[] size=2 generation=1")
		refused := passing(5, "b c")
		refused.Members[0].Replicas = 2
		publish(v.View().Document(), refused)
		want(true, "+c@c -b@b:5s !b", "node=b replicas=2 placement=3")
		publish(nil, nil) // its sources never do, and it would not forget
		want(false, "+c@c -b@b:5s !b", "")

		docs.contact, members.contact = time.Now().Add(-3*time.Second), time.Now().Add(-8*time.Second)
		if got := v.Age(time.Now()); got != 8*time.Second {
			t.Errorf("Age = %v, want that of the older source, 8s", got)
		}
		for name, want := range map[string]float64{
			"ringkv_ring_generation": 1, "ringkv_ring_passing_nodes": 1, "ringkv_ring_away_nodes": 1,
			"ringkv_ring_refused_nodes": 1, "ringkv_ring_age_seconds": 8,
		} {
			if got := gauge(t, registry, name); got != want {
				t.Errorf("%s = %v, want %v", name, got, want)
			}
		}
		if problems, err := testutil.GatherAndLint(registry); err != nil || len(problems) > 0 {
			t.Errorf("metrics: %v %v", problems, err)
		}
		cancel()
		if err := <-done; err != nil {
			t.Errorf("Run = %v, want nil once its context is done", err)
		}
	})
}

func gauge(t *testing.T, registry *prometheus.Registry, name string) float64 {
	t.Helper()
	families, err := registry.Gather()
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range families {
		if f.GetName() == name {
			return f.GetMetric()[0].GetGauge().GetValue()
		}
	}
	t.Fatalf("no metric %s", name)
	return 0
}

func TestStaticIsThereAtOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := chain(t, 3, "a b")
		members := &source{members: passing(0, "a"), contact: time.Now()}
		v := NewViews(ViewsOptions{Documents: NewStatic(d), Members: memberSource{members}, Log: quiet()})
		ctx, cancel := context.WithCancel(t.Context())
		done := make(chan error, 1)
		go func() { done <- v.Run(ctx) }()
		<-v.Ready()
		time.Sleep(time.Second)
		if got := v.Age(time.Now()); show(v.View()) != "+a@a -b@:0s" || got != time.Second {
			t.Errorf("view %s of age %v, want a passing and a second", show(v.View()), got)
		}
		cancel()
		<-done
	})
}

// BenchmarkView is what a change costs a program: of who passes, of the placement on top of the one before, and of a placement
// of which nothing is known, with a log of ten generations.
func BenchmarkView(b *testing.B) {
	for _, n := range []int{10, 100, 1000, 3000} {
		nodes := manyNodes(n + 10)
		d := first(b, nodes[:n], 3)
		for i := range 9 {
			d = next(b, d, nodes[:n+i+1])
		}
		snap := &membership.Snapshot{}
		for _, node := range d.Nodes {
			snap.Members = append(snap.Members, membership.Member{Member: hashring.Member{ID: node.ID, Weight: 1}, Addr: "127.0.0.1:5000", Disk: node.Disk})
		}
		v := view(b, nil, d, snap)
		after := next(b, d, nodes)
		b.Run(fmt.Sprintf("passing/nodes=%d", n), func(b *testing.B) {
			for b.Loop() {
				view(b, v, d, snap)
			}
		})
		b.Run(fmt.Sprintf("generation/nodes=%d", n), func(b *testing.B) {
			for b.Loop() {
				view(b, v, after, snap)
			}
		})
		b.Run(fmt.Sprintf("unknown/nodes=%d", n), func(b *testing.B) {
			for b.Loop() {
				view(b, nil, after, snap)
			}
		})
	}
}

func BenchmarkLookup(b *testing.B) {
	v := view(b, nil, first(b, manyNodes(1000), 3), passing(0, "node-0001"))
	b.ReportAllocs()
	for b.Loop() {
		slot := v.Slot("a key of some length")
		if v.Config(slot) == nil || len(v.Owners(slot)) != 3 {
			b.Fatal("no owners")
		}
	}
}

package placement

import (
	"fmt"
	"math/rand/v2"
	"reflect"
	"slices"
	"strings"
	"testing"

	"ringkv/hashring"
)

// A reference computes what the package should, slot by slot and generation by generation.
type reference map[string]*hashring.Ring

// identities returns the owners of slot in g, as ids with disks.
func (rings reference) identities(t testing.TB, g Entry, slot int) []string {
	t.Helper()
	key := fmt.Sprint(g.Replicas, g.Nodes)
	if rings[key] == nil {
		var members []hashring.Member
		for _, n := range g.Nodes {
			members = append(members, hashring.Member{ID: n.ID, Weight: n.Weight, Zone: n.Zone})
		}
		ring, err := hashring.New(members, g.Replicas)
		if err != nil {
			t.Fatal(err)
		}
		rings[key] = ring
	}
	var out []string
	for _, id := range rings[key].Owners(slot) {
		n, _ := find(g.Nodes, id)
		out = append(out, Identity(id, n.Disk))
	}
	return out
}

// history is History by its definition.
func (rings reference) history(t testing.TB, d *Document, slot int) []Config {
	t.Helper()
	var out []Config
	var before []string
	var last uint64
	for _, g := range d.generations() {
		now := rings.identities(t, g, slot)
		if !slices.Equal(now, before) || g.Generation > last+1 {
			out = append(out, Config{Generation: g.Generation, Owners: now})
		}
		before, last = now, g.Generation
	}
	return out
}

func TestConfigsOfTheFirstGeneration(t *testing.T) {
	configs, err := chain(t, 3, "a b c").Configs()
	if err != nil {
		t.Fatal(err)
	}
	for slot, c := range configs {
		if c.Generation != 0 || len(c.Owners) != 3 {
			t.Fatalf("config of slot %d = %v, want three owners since generation 0", slot, c)
		}
	}
}

func TestAConfigIsAsOldAsItsListOfOwners(t *testing.T) {
	d, rings := chain(t, 3, "a b c d", "a b c d e"), reference{}
	configs, err := d.Configs()
	if err != nil {
		t.Fatal(err)
	}
	var counts [2]int
	for slot, c := range configs {
		before, now := rings.identities(t, Entry{Replicas: 3, Nodes: list("a b c d")}, slot), rings.identities(t, Entry{Replicas: 3, Nodes: d.Nodes}, slot)
		if slices.Equal(before, now) != (c.Generation == 0) {
			t.Fatalf("config of slot %d = %v, with owners %v before: want generation 1 exactly if they changed", slot, c, before)
		}
		counts[c.Generation]++
	}
	if counts[0] == 0 || counts[1] == 0 {
		t.Errorf("%d configs kept and %d changed, want some of both", counts[0], counts[1])
	}
}

func TestAWipedDiskIsAnotherOwner(t *testing.T) {
	d := chain(t, 2, "a/1 b/1 c/1", "a/1 b/2 c/1")
	configs, err := d.Configs()
	if err != nil {
		t.Fatal(err)
	}
	for slot, c := range configs {
		if c.Owns("b/2") != (c.Generation == 1) || c.Owns("b/1") {
			t.Fatalf("config of slot %d = %v, want generation 1 exactly where the new b owns", slot, c)
		}
	}
}

func TestAGenerationWithTheSameOwnersKeepsConfigs(t *testing.T) {
	d := chain(t, 3, "a b c d", "a b c d e", "a b c d e", "a b c d e")
	configs, err := d.Configs()
	if err != nil {
		t.Fatal(err)
	}
	for slot, c := range configs {
		if c.Generation > 1 {
			t.Fatalf("config of slot %d = %v, want generation 0 or 1", slot, c)
		}
	}
}

func TestHistoryGoesBackAndForth(t *testing.T) {
	d := chain(t, 1, "a", "b", "a")
	want := []Config{{0, []string{"a"}}, {1, []string{"b"}}, {2, []string{"a"}}}
	if got := d.History(7); !reflect.DeepEqual(got, want) {
		t.Errorf("History(7) = %v, want %v", got, want)
	}
}

func TestWithoutALogAConfigIsAsOldAsItsDocument(t *testing.T) {
	for name, d := range map[string]*Document{
		"no log":    {Generation: 12, Log: nil},
		"a gap":     {Generation: 12, Log: []Entry{{Generation: 10, Nodes: list("a b")}}},
		"all but 0": {Generation: 12, Log: []Entry{{Generation: 0, Nodes: list("a b")}}},
	} {
		d.Slots, d.Replicas, d.Nodes = hashring.Slots, 2, list("a b")
		configs, err := d.Configs()
		if err != nil {
			t.Fatal(err)
		}
		for slot, c := range configs {
			if c.Generation != 12 {
				t.Fatalf("%s: config of slot %d = %v, want generation 12", name, slot, c)
			}
		}
	}
}

func TestTrimRaisesOnlyConfigsOlderThanTheLog(t *testing.T) {
	d := chain(t, 2, "a b c", "a b c d", "a b c d e", "a b c d e f")
	before, err := d.Configs()
	if err != nil {
		t.Fatal(err)
	}
	for lowest := range uint64(4) {
		after, err := d.Trim(lowest).Configs()
		if err != nil {
			t.Fatal(err)
		}
		for slot := range after {
			want := Config{Generation: max(lowest, before[slot].Generation), Owners: before[slot].Owners}
			if !after[slot].Equal(&want) {
				t.Fatalf("trimmed to %d: config of slot %d = %v, want %v", lowest, slot, after[slot], want)
			}
		}
	}
	if len(d.Log) != 3 {
		t.Errorf("Trim changed the document it was called on: its log has %d generations, want 3", len(d.Log))
	}
}

func above(t testing.TB, d *Document, generation uint64) *Document {
	t.Helper()
	lifted, err := d.Above(generation)
	if err != nil {
		t.Fatal(err)
	}
	return lifted
}

// TestAboveMakesEveryConfigNew: whom to ask what a slot holds is known all the same.
func TestAboveMakesEveryConfigNew(t *testing.T) {
	d := chain(t, 1, "a", "b", "b")
	if above(t, d, 1) != d {
		t.Error("Above(1) of generation 2 is another document")
	}
	want := []Config{{0, []string{"a"}}, {1, []string{"b"}}, {8, []string{"b"}}}
	lifted := above(t, d, 7)
	if got := lifted.History(7); !reflect.DeepEqual(got, want) || d.Generation != 2 {
		t.Errorf("History(7) above generation 7 = %v, want %v; the one below is at %d, want 2 still", got, want, d.Generation)
	}
	want = append(want, Config{9, []string{"c"}})
	if got := next(t, lifted, list("c")).History(7); !reflect.DeepEqual(got, want) {
		t.Errorf("History(7) of the generation that follows = %v, want %v", got, want)
	}
	if got, err := d.Above(MaxGeneration); err == nil {
		t.Errorf("Above(%d) = generation %d, want an error", uint64(MaxGeneration), got.Generation)
	}
}

func TestNextKeepsWhatEarlierGenerationsMeant(t *testing.T) {
	d := chain(t, 3, "a b c d")
	d.Log, d.Generation = []Entry{{Generation: 4, Nodes: list("a b c")}}, 5
	n := next(t, d, list("a b c d e"))
	n.Replicas = 2
	if got := n.History(3)[0]; len(got.Owners) != 3 {
		t.Errorf("the config of generation 4 is %v, want three owners still", got)
	}
}

func TestNextBoundsTheLog(t *testing.T) {
	d := chain(t, 3, "a b c")
	for range 3 * maxLog {
		d = next(t, d, d.Nodes)
	}
	if len(d.Log) != maxLog || d.Log[0].Generation != d.Generation-1 {
		t.Errorf("the log has %d generations from %d on, want %d from %d on", len(d.Log), d.Log[0].Generation, maxLog, d.Generation-1)
	}
	wide := first(t, manyNodes(1500), 3)
	for range 8 {
		wide = next(t, wide, wide.Nodes)
	}
	data, err := wide.Encode()
	if err != nil {
		t.Fatal(err)
	}
	if len(wide.Log) < 2 || len(wide.Log) > 7 || len(data) > MaxBytes {
		t.Errorf("1,500 nodes: %d generations in %d bytes, want some in at most %d", len(wide.Log), len(data), MaxBytes)
	}
}

func TestNextRefusesWhatDoesNotFit(t *testing.T) {
	d := first(t, manyNodes(5000), 3)
	if n, err := Next(d, d.Nodes, "again"); err == nil {
		t.Errorf("Next with 10,000 nodes listed = generation %d, want an error", n.Generation)
	}
}

func TestNextCutsALongWhy(t *testing.T) {
	n, err := Next(chain(t, 3, "a"), list("a b"), strings.Repeat("ä", 5000))
	if err != nil {
		t.Fatal(err)
	}
	if len(n.Why) > maxWhy || !strings.HasPrefix(n.Why, "ää") || !strings.HasSuffix(n.Why, "ä...") {
		t.Errorf("why is %d bytes that end in %q, want at most %d and dots", len(n.Why), n.Why[len(n.Why)-8:], maxWhy)
	}
}

func manyNodes(n int) []Node {
	nodes := make([]Node, n)
	for i := range nodes {
		nodes[i] = Node{ID: fmt.Sprintf("node-%04d", i), Weight: 1, Zone: fmt.Sprintf("zone-%d", i%5), Disk: fmt.Sprintf("%016x", i)}
	}
	return nodes
}

// step returns nodes with a random change: one joins, leaves, is wiped, weighs more, or nothing happens.
func step(r *rand.Rand, nodes []Node) []Node {
	nodes = slices.Clone(nodes)
	i := r.IntN(len(nodes))
	switch r.IntN(5) {
	case 0:
		id := fmt.Sprintf("n%02d", r.IntN(12))
		if _, found := find(nodes, id); !found {
			nodes = append(nodes, Node{ID: id, Weight: 1, Disk: fmt.Sprint(r.IntN(3))})
		}
	case 1:
		if len(nodes) > 1 {
			nodes = slices.Delete(nodes, i, i+1)
		}
	case 2:
		nodes[i].Disk = fmt.Sprint(r.IntN(3))
	case 3:
		nodes[i].Weight = 1 + r.IntN(3)
	}
	return nodes
}

// Random chains, trimmed at random, hold what the package promises of configs, whether they are computed from the document alone
// or on top of an earlier one.
func TestConfigsOverRandomChains(t *testing.T) {
	for seed := range uint64(20) {
		r, rings := rand.New(rand.NewPCG(seed, 1)), reference{}
		d := first(t, []Node{{ID: "n00", Weight: 1, Disk: "0"}, {ID: "n01", Weight: 1, Disk: "0"}}, 1+r.IntN(3))
		prev, err := newTables(d, nil)
		if err != nil {
			t.Fatal(err)
		}
		seen := map[string][]string{} // slot and generation of a config, to its owners
		for range 15 {
			base := d
			if r.IntN(6) == 0 {
				base = d.Trim(d.Generation - min(d.Generation, uint64(r.IntN(5))))
			}
			d = next(t, base, step(r, d.Nodes))
			if r.IntN(6) == 0 {
				d = above(t, d, d.Generation+uint64(r.IntN(3)))
			}
			fresh, err := newTables(d, nil)
			if err != nil {
				t.Fatal(err)
			}
			built, err := newTables(d, prev)
			if err != nil {
				t.Fatal(err)
			}
			for slot := 0; slot < hashring.Slots; slot += 37 {
				now := fresh.config(slot)
				if want := rings.history(t, d, slot); !reflect.DeepEqual(fresh.copyHistory(slot), want) {
					t.Fatalf("seed %d generation %d: History(%d) = %v, want %v", seed, d.Generation, slot, fresh.copyHistory(slot), want)
				}
				if !reflect.DeepEqual(built.history[slot], fresh.history[slot]) {
					t.Fatalf("seed %d generation %d: on top of an earlier table slot %d has %v, alone %v", seed, d.Generation, slot, built.copyHistory(slot), fresh.copyHistory(slot))
				}
				if before := prev.config(slot); now.Generation < before.Generation {
					t.Fatalf("seed %d generation %d: slot %d went from config %v back to %v", seed, d.Generation, slot, before, now)
				}
				owners := rings.identities(t, Entry{Replicas: d.Replicas, Nodes: d.Nodes}, slot)
				key := fmt.Sprint(slot, "@", now.Generation)
				if was, ok := seen[key]; ok && !slices.Equal(was, owners) {
					t.Fatalf("seed %d: config %s meant %v and means %v", seed, key, was, owners)
				}
				seen[key] = owners
			}
			if r.IntN(3) > 0 { // at times a document is missed
				prev = built
			}
		}
	}
}

func TestUnchangedConfigsStayTheSamePointers(t *testing.T) {
	d := chain(t, 3, "a b c d")
	prev, err := newTables(d, nil)
	if err != nil {
		t.Fatal(err)
	}
	now, err := newTables(next(t, d, list("a b c d e")), prev)
	if err != nil {
		t.Fatal(err)
	}
	for slot := range now.history {
		if c := now.config(slot); (c == prev.config(slot)) != (c.Generation == 0) {
			t.Fatalf("slot %d: config %v, before %v: the same pointer is wanted exactly if nothing changed", slot, c, prev.config(slot))
		}
	}
}

func TestTablesOfAnotherChainAreNotReused(t *testing.T) {
	lost, err := newTables(chain(t, 2, "a b c", "a b d", "a b d"), nil)
	if err != nil {
		t.Fatal(err)
	}
	d := chain(t, 2, "a b c", "a b c e", "a b d", "a b d f")
	built, err := newTables(d, lost)
	if err != nil {
		t.Fatal(err)
	}
	fresh, err := newTables(d, nil)
	if err != nil {
		t.Fatal(err)
	}
	if !reflect.DeepEqual(built.history, fresh.history) {
		t.Error("tables built on another chain's differ from those built alone")
	}
}

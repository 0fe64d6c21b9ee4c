package placement

import (
	"fmt"
	"slices"

	"ringkv/hashring"
)

// tables are what follows from one document: for each slot its configs, oldest first, the present one last. They are
// immutable and shared by all views of the document; configs that a document has in common with the one before
// are the same pointers.
type tables struct {
	doc     *Document
	gens    []Entry // the generations known, oldest first, the last is doc's own
	history [][]*Config
	ring    *hashring.Ring // of the present generation
}

// newTables computes the tables of doc. Those of an earlier document of the same chain, if there are any, spare the
// rings of the generations that both know.
func newTables(doc *Document, prev *tables) (*tables, error) {
	if err := doc.Validate(); err != nil {
		return nil, err
	}
	t := &tables{doc: doc, gens: doc.generations(), history: make([][]*Config, hashring.Slots)}
	for i := t.adopt(prev); i < len(t.gens); i++ {
		if err := t.add(i); err != nil {
			return nil, err
		}
	}
	return t, nil
}

// generations returns those of the log and the present one, oldest first.
func (d *Document) generations() []Entry {
	gens := append([]Entry{{Generation: d.Generation, Replicas: d.Replicas, Nodes: d.Nodes}}, d.explicitLog()...)
	slices.Reverse(gens)
	return gens
}

// adopt takes over from prev what it knows of t's generations, and returns how many of them are done with that. It takes
// nothing unless all that both know is the same.
func (t *tables) adopt(prev *tables) int {
	if prev == nil {
		return 0
	}
	from := slices.IndexFunc(prev.gens, func(e Entry) bool { return e.Generation == t.gens[0].Generation })
	if from < 0 {
		return 0
	}
	both := prev.gens[from:]
	if len(both) > len(t.gens) || !slices.EqualFunc(both, t.gens[:len(both)], sameEntry) {
		return 0
	}
	t.ring = prev.ring
	for slot, configs := range prev.history {
		t.history[slot] = since(configs, t.gens[0].Generation)
	}
	return len(both)
}

func sameEntry(a, b Entry) bool {
	return a.Generation == b.Generation && a.Replicas == b.Replicas && slices.Equal(a.Nodes, b.Nodes)
}

// since drops what a log that begins at oldest doesn't tell.
func since(configs []*Config, oldest uint64) []*Config {
	for len(configs) > 1 && configs[1].Generation <= oldest {
		configs = configs[1:]
	}
	if c := configs[0]; c.Generation < oldest {
		configs = append([]*Config{{Generation: oldest, Owners: c.Owners}}, configs[1:]...)
	}
	return slices.Clip(configs) // two successors of one document must not append into one array
}

// add appends the configs of the slots whose owners are others in generation i of t.gens than in the one before. Behind a gap that is
// every slot: its owners may have been others in between.
func (t *tables) add(i int) error {
	g := t.gens[i]
	members := make([]hashring.Member, len(g.Nodes))
	for i, n := range g.Nodes {
		members[i] = hashring.Member{ID: n.ID, Weight: n.Weight, Zone: n.Zone}
	}
	ring, err := hashring.New(members, g.Replicas)
	if err != nil {
		return fmt.Errorf("owners of generation %d: %w", g.Generation, err)
	}
	t.ring = ring
	identity := make(map[string]string, len(g.Nodes))
	for _, n := range g.Nodes {
		identity[n.ID] = Identity(n.ID, n.Disk)
	}
	gap := i > 0 && t.gens[i-1].Generation+1 != g.Generation
	for slot, configs := range t.history {
		ids := ring.Owners(slot)
		owners := make([]string, len(ids))
		for i, id := range ids {
			owners[i] = identity[id]
		}
		if k := len(configs); k > 0 && !gap && slices.Equal(configs[k-1].Owners, owners) {
			continue
		}
		t.history[slot] = append(configs, &Config{Generation: g.Generation, Owners: owners})
	}
	return nil
}

func (t *tables) config(slot int) *Config {
	configs := t.history[slot]
	return configs[len(configs)-1]
}

// Configs returns the config of each slot: its owners, and the generation at which that list last changed. Where the log
// does not reach back that far, it is the oldest generation that the log tells without a gap, which is the
// document's own if there is no log, or a gap behind it. The configs are shared: read only.
func (d *Document) Configs() ([]*Config, error) {
	t, err := newTables(d, nil)
	if err != nil {
		return nil, err
	}
	configs := make([]*Config, len(t.history))
	for slot := range configs {
		configs[slot] = t.config(slot)
	}
	return configs, nil
}

// History returns the configs that slot has had, newest last, as far back as the log tells. Where that has a gap, there may have been
// others. It builds
// the ring of every generation in the log, which takes milliseconds; a View has the same at hand. It panics where slot is not in
// 0 to hashring.Slots-1, and returns nil for a document that Validate refuses.
func (d *Document) History(slot int) []Config {
	t, err := newTables(d, nil)
	if err != nil {
		return nil
	}
	return t.copyHistory(slot)
}

func (t *tables) copyHistory(slot int) []Config {
	out := make([]Config, len(t.history[slot]))
	for i, c := range t.history[slot] {
		out[i] = *c
	}
	return out
}

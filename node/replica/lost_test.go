package replica

import (
	"strings"
	"testing"

	"ringkv/hashring"
	"ringkv/hashring/membership"
	"ringkv/hashring/placement"
	"ringkv/node/store/memstore"
	"ringkv/node/wire"
)

// chain returns a view of a chain of generations, each a list of nodes; those of the last list that are named lost are so.
func chain(t *testing.T, lost string, lists ...string) *placement.View {
	t.Helper()
	nodes := func(ids string) (out []placement.Node) {
		for _, id := range strings.Fields(ids) {
			out = append(out, placement.Node{ID: id, Weight: 1})
		}
		return out
	}
	doc, err := placement.First(nodes(lists[0]), 3, "test")
	for i, list := range lists[1:] {
		if err == nil && i == len(lists)-2 {
			doc, err = placement.NextLost(doc, nodes(list), strings.Fields(lost), "test")
		} else if err == nil {
			doc, err = placement.Next(doc, nodes(list), "test")
		}
	}
	if err != nil {
		t.Fatal(err)
	}
	view, err := placement.NewView(doc, &membership.Snapshot{})
	if err != nil {
		t.Fatal(err)
	}
	return view
}

// TestCompleteWithLostNodes: node a enters the last generation of a chain, and has promised nothing before.
func TestCompleteWithLostNodes(t *testing.T) {
	const nothing = -1
	type answer struct {
		settled int   // generation, or nothing
		history []int // generations
	}
	held := func(generation int) answer { return answer{generation, []int{generation}} }
	for _, tt := range []struct {
		name    string
		lost    string
		chain   []string
		answers map[string]answer
		want    bool
	}{
		{"nobody is lost, one of three answers", "", []string{"x y z", "a b z"}, map[string]answer{"z": held(0)}, false},
		{"one is lost, one of the two others answers", "x", []string{"x y z", "a b z"}, map[string]answer{"z": held(0)}, false},
		{"one is lost, both others answer", "x", []string{"x y z", "a b z"}, map[string]answer{"z": held(0), "y": held(0)}, true},
		{"two are lost, the third answers", "x y", []string{"x y z", "a b z"}, map[string]answer{"z": held(0)}, true},
		{"a lost one's answer doesn't count", "x", []string{"x y z", "a b z"}, map[string]answer{"z": held(0), "x": held(0)}, false},
		{"two are lost, a config after theirs is known to the placement alone", "x y", []string{"x y z", "u v w", "a b z"},
			map[string]answer{"z": held(0)}, false},
		{"the same, its owners answer", "x y", []string{"x y z", "u v w", "a b z"},
			map[string]answer{"z": held(0), "u": {nothing, []int{1}}, "v": {nothing, []int{1}}}, true},
		{"nobody is lost, a config that nobody promised needs no answer", "", []string{"x y z", "u v w", "a b z"},
			map[string]answer{"z": held(0), "y": held(0)}, true},
		{"all are lost, the others have answered", "x y z", []string{"x y z", "a b c"},
			map[string]answer{"b": {nothing, nil}, "c": {nothing, nil}}, true},
		{"all are lost, one of the others has not answered", "x y z", []string{"x y z", "a b c"},
			map[string]answer{"b": {nothing, nil}}, false},
		{"all are lost, somebody has settled what they gave on", "x y z", []string{"x y z", "u v w", "a b c"},
			map[string]answer{"u": held(1), "v": held(1)}, true},
		{"nobody is lost, nobody knows anything", "", []string{"x y z", "a b c"},
			map[string]answer{"b": {nothing, nil}, "c": {nothing, nil}, "x": {nothing, nil}, "y": {nothing, nil}, "z": {nothing, nil}}, false},
	} {
		view := chain(t, tt.lost, tt.chain...)
		st := memstore.Open()
		r, err := New(st, Options{ID: "a", View: func() *placement.View { return view }})
		if err != nil {
			t.Fatal(err)
		}
		config := view.Config(0)
		configs := view.History(0)
		at := func(generation int) *placement.Config {
			for i := range configs {
				if int(configs[i].Generation) == generation {
					return &configs[i]
				}
			}
			return nil
		}
		c := r.newCollection(0, &state{Promised: config, History: []*placement.Config{config}}, &wire.Request{Config: config})
		for id, a := range tt.answers {
			p := &wire.Pulled{Node: id, Settled: at(a.settled)}
			for _, generation := range a.history {
				p.History = append(p.History, at(generation))
			}
			c.got[id] = p
		}
		if got := c.complete(); got != tt.want {
			t.Errorf("%s: complete = %v, want %v", tt.name, got, tt.want)
		}
		if c.only = &configs[0]; c.complete() != tt.want {
			t.Errorf("%s: complete = %v where only the first owners are asked, want %v all the same", tt.name, !tt.want, tt.want)
		}
		if err := st.Close(); err != nil {
			t.Error(err)
		}
	}
}

func TestProgressCountsWhatIsNotSettled(t *testing.T) {
	view := chain(t, "", "x y z", "a y z")
	r, err := New(memstore.Open(), Options{ID: "a", View: func() *placement.View { return view }})
	if err != nil {
		t.Fatal(err)
	}
	want := Progress{Generation: 1, Owned: hashring.Slots, Unsettled: hashring.Slots, Oldest: 1}
	if got, ok := r.Progress(); !ok || got != want {
		t.Errorf("Progress of a node that has promised nothing = %+v, %v, want %+v", got, ok, want)
	}
	config := view.Config(7)
	r.slots[7].Store(&state{Promised: config, Settled: config, History: []*placement.Config{config}})
	later := &placement.Config{Generation: 2, Owners: []string{"b"}}
	r.slots[8].Store(&state{Promised: later, History: []*placement.Config{config, later}})
	want.Owned, want.Unsettled, want.Promised = hashring.Slots-1, hashring.Slots-2, 2
	if got, _ := r.Progress(); got != want {
		t.Errorf("Progress = %+v, want %+v: a slot settled, and one promised to others", got, want)
	}
	r.opt.View = func() *placement.View { return nil }
	if got, ok := r.Progress(); ok {
		t.Errorf("Progress without a placement = %+v, want none", got)
	}
}

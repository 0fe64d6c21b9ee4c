package replica

import (
	"testing"

	"ringkv/hashring/placement"
	"ringkv/node/store/memstore"
	"ringkv/node/wire"
)

// A generation that Consul lost may be written anew with other owners: two configs of a slot have one generation then.

// TestBothConfigsOfOneGenerationAreFenced: either may be the one that others have acted in.
func TestBothConfigsOfOneGenerationAreFenced(t *testing.T) {
	config := func(generation uint64, owners ...string) *placement.Config {
		return &placement.Config{Generation: generation, Owners: owners}
	}
	first, lost, anew, now := config(0, "a", "b", "c"), config(1, "d", "e", "f"), config(1, "g", "h", "i"), config(3, "a", "b", "c")
	told := func(settled *placement.Config, history ...*placement.Config) *wire.Pulled {
		return &wire.Pulled{Settled: settled, History: history}
	}
	for _, tt := range []struct {
		name    string
		answers map[string]*wire.Pulled
		want    bool
	}{
		{"nobody has promised either", map[string]*wire.Pulled{"b": told(first, first)}, true},
		{"the lost one is fenced, the other is not", map[string]*wire.Pulled{
			"b": told(first, first, lost), "c": told(first, first, anew), "d": told(nil, lost), "e": told(nil, lost)}, false},
		{"the other is fenced, the lost one is not", map[string]*wire.Pulled{
			"b": told(first, first, lost), "c": told(first, first, anew), "g": told(nil, anew), "h": told(nil, anew)}, false},
		{"both are", map[string]*wire.Pulled{
			"b": told(first, first, lost), "c": told(first, first, anew),
			"d": told(nil, lost), "e": told(nil, lost), "g": told(nil, anew), "h": told(nil, anew)}, true},
		{"the other was settled, so that nobody has acted in the lost one", map[string]*wire.Pulled{
			"b": told(first, first, lost), "g": told(anew, anew), "h": told(nil, anew)}, true},
	} {
		for range 20 { // the order of answers is that of a map
			r := newTestReplica(t, Options{ID: "a"})
			c := r.newCollection(0, &state{Promised: now, Settled: first, History: []*placement.Config{first, now}}, &wire.Request{Config: now})
			c.got = tt.answers
			if got := c.complete(); got != tt.want {
				t.Fatalf("%s: complete = %v, want %v", tt.name, got, tt.want)
			}
		}
	}
}

// TestProgressTellsWhatThePlacementRulesOut: a node whose slot has promised another config than the placement gives it.
func TestProgressTellsWhatThePlacementRulesOut(t *testing.T) {
	view := chain(t, "", "a b c", "a b c", "a b c d e", "a b c d e")
	var kept, moved int // slots whose owners are those of generation 0, and others
	for slot := range 64 {
		if view.Config(slot).Generation == 0 {
			kept = slot
		} else {
			moved = slot
		}
	}
	for _, tt := range []struct {
		name     string
		slot     int
		promised *placement.Config
		want     uint64
	}{
		{"what the placement says", moved, view.Config(moved), 2},
		{"what an earlier one said", moved, &placement.Config{Generation: 0, Owners: []string{"a", "b", "c"}}, 0},
		{"what a later one says", moved, &placement.Config{Generation: 9, Owners: []string{"a", "x"}}, 9},
		{"other owners of the same generation", moved, &placement.Config{Generation: 2, Owners: []string{"a", "x"}}, 4},
		{"owners since then that the placement doesn't know", moved, &placement.Config{Generation: 3, Owners: []string{"a", "x"}}, 4},
		{"owners of a generation at which the placement changed none", kept, &placement.Config{Generation: 1, Owners: []string{"a", "x"}}, 4},
	} {
		r := newTestReplica(t, Options{ID: "a", View: func() *placement.View { return view }})
		r.slots[tt.slot].Store(&state{Promised: tt.promised, History: []*placement.Config{tt.promised}})
		if got, ok := r.Progress(); !ok || got.Promised != tt.want {
			t.Errorf("%s: Progress().Promised = %d, %v, want %d", tt.name, got.Promised, ok, tt.want)
		}
	}
}

func newTestReplica(t *testing.T, o Options) *Replica {
	t.Helper()
	r, err := New(memstore.Open(), o)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

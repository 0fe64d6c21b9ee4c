package replica

import (
	"testing"

	"ringkv/hashring/placement"
	"ringkv/node/store/memstore"
	"ringkv/node/wire"
)

// What a slot in doubt is to promise anew is found out by asking others. By the time they have answered the doubt may be over, and more may have been promised.
func TestWhatIsPromisedAfterTheDoubtIsKept(t *testing.T) {
	view := chain(t, "", "a b c", "a b d")
	earlier, later := &placement.Config{Generation: 0, Owners: []string{"a", "b", "c"}}, view.Config(0)
	r, err := New(memstore.Open(), Options{ID: "a", View: func() *placement.View { return view }})
	if err != nil {
		t.Fatal(err)
	}
	promise := func(c *placement.Config) *state {
		return &state{Promised: c, History: []*placement.Config{c}, Founded: true}
	}
	r.slots[0].Store(promise(later))
	for _, doubt := range []bool{true, false} {
		r.doubt[0].Store(doubt)
		b := &batch{r: r, states: map[int]*state{}}
		it := &item{slot: 0, renew: promise(earlier)}
		b.judge(it)
		want := later
		if doubt {
			want = earlier
		}
		if got := b.state(0).Promised; got != want || (it.answer.Status == wire.OK) != doubt || it.staged != doubt {
			t.Errorf("in doubt: %v; it promises generation %d, want %d; status %v, staged %v", doubt, got.Generation, want.Generation, it.answer.Status, it.staged)
		}
	}
}

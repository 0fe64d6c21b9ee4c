package replica

import (
	"fmt"
	"testing"

	"ringkv/node/record"
	"ringkv/node/wire"
)

func at(ms int) record.Version { return record.Version{HLC: uint64(ms) << 16, Writer: 1} }

// The keys stored last are remembered, and so many only. Of those that are forgotten nothing is known, and of their versions from before that nothing ever.
func TestPastsAreBounded(t *testing.T) {
	var p pasts
	key := func(i int) string { return fmt.Sprint("key", i) }
	const all = 3 * pastKeys
	for i := range all {
		p.note(key(i), record.Version{}, record.Version{}, tenure{at(10), 1})
		p.note(key(i), at(10), at(10), tenure{at(20), 1})
		if n := len(p.young) + len(p.old); n > pastKeys {
			t.Fatalf("%d keys are remembered, want %d at most", n, pastKeys)
		}
	}
	had := func(i, v, held int) wire.Had {
		return p.had(at(v), record.Record{Key: key(i), Version: at(held)}, record.Version{}, 0)
	}
	for i := all - pastKeys/2; i < all; i++ {
		if had(i, 15, 20) != wire.HadNever || had(i, 10, 20) != wire.HadAccepted {
			t.Fatalf("key %d, of the last ones, is forgotten", i)
		}
	}
	if had(0, 15, 20) != wire.HadUnknown || had(0, 10, 20) != wire.HadUnknown {
		t.Error("the first key is still remembered")
	}
	p.note(key(0), at(20), at(20), tenure{at(30), 1})
	for v, want := range map[int]wire.Had{10: wire.HadUnknown, 15: wire.HadUnknown, 20: wire.HadUnknown, 25: wire.HadNever} {
		if got := had(0, v, 30); got != want {
			t.Errorf("after it was forgotten, version %d of the first key is said to be %d, want %d", v, got, want)
		}
	}
}

// A past that doesn't end with what is held says nothing, and is not gone on with.
func TestBrokenPastsBeginAnew(t *testing.T) {
	var p pasts
	p.note("k", record.Version{}, record.Version{}, tenure{at(10), 1})
	p.note("k", at(10), at(10), tenure{at(20), 1})
	if got := p.had(at(15), record.Record{Key: "k", Version: at(40)}, record.Version{}, 0); got != wire.HadUnknown {
		t.Errorf("a past that ends with 20 says %d where 40 is held", got)
	}
	p.note("k", at(40), at(40), tenure{at(50), 1})
	for v, want := range map[int]wire.Had{10: wire.HadUnknown, 15: wire.HadUnknown, 30: wire.HadUnknown, 45: wire.HadNever} {
		if got := p.had(at(v), record.Record{Key: "k", Version: at(50)}, record.Version{}, 0); got != want {
			t.Errorf("version %d is said to be %d, want %d", v, got, want)
		}
	}
}

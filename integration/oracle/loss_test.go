package oracle

import (
	"testing"
	"time"
)

// After a loss a key holds something old or nothing, and from then on everybody sees the same of it.
func TestLinearJudgesWhatALossLeaves(t *testing.T) {
	loss := Op{Client: 9, Kind: Loss, Key: "k", Call: 5, Return: Never}
	history := func(after ...Op) []Op { return append([]Op{put(1, "a", 1, 2), put(1, "b", 3, 4), loss}, after...) }
	absent := func(call, ret int64) Op { o := get(2, "", call, ret); o.Found = false; return o }
	for _, c := range []struct {
		name string
		good bool
		ops  []Op
	}{
		{"nothing", true, history(get(2, "b", 6, 7), get(1, "b", 8, 9))},
		{"the last write", true, history(get(2, "a", 6, 7), get(1, "a", 8, 9))},
		{"the last write, later", true, history(get(2, "b", 6, 7), get(1, "a", 8, 9), get(1, "a", 10, 11))},
		{"everything", true, history(absent(6, 7), absent(8, 9), none(1, "c", 10, 11), get(1, "c", 12, 13))},
		{"the last write, and another follows", true, history(cas(2, "a", "c", 6, 7), get(1, "c", 8, 9))},
		{"something unknown", true, history(cas(2, "b", "c", 6, 7).mismatch(), get(1, "a", 8, 9))},

		{"and it comes back", false, history(get(2, "a", 6, 7), get(1, "b", 8, 9))},
		{"and back and forth", false, history(get(2, "b", 6, 7), get(2, "a", 8, 9), get(1, "b", 10, 11))},
		{"and everything comes back", false, history(absent(6, 7), get(2, "a", 8, 9))},
		{"and a write over it gets lost", false, history(get(2, "a", 6, 7), put(1, "c", 8, 9), get(2, "b", 10, 11))},
		{"before its time", false, []Op{put(1, "a", 1, 2), put(1, "b", 3, 4), get(2, "a", 5, 6), {Client: 9, Kind: Loss, Key: "k", Call: 7, Return: Never}}},
	} {
		judge(t, "CheckLinear", c.name, CheckLinear(c.ops, time.Minute), c.good)
	}
}

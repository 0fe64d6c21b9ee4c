package oracle

import (
	"testing"
	"time"
)

// cas is one whose condition held, that wanted a value; none is one that wanted none.
func cas(client int, wanted, value string, call, ret int64) Op {
	return Op{Client: client, Kind: Cas, Key: "k", Value: value, Wanted: wanted, Found: true, Call: call, Return: ret, Outcome: OK}
}

func none(client int, value string, call, ret int64) Op {
	o := cas(client, "", value, call, ret)
	o.Absent = true
	return o
}

// mismatch makes it one whose condition didn't hold.
func (o Op) mismatch() Op { o.Found = false; return o }

func TestLinearJudgesCompareAndSet(t *testing.T) {
	for _, c := range []struct {
		name string
		good bool
		ops  []Op
	}{
		{"in place of what was there", true, []Op{put(1, "a", 1, 2), cas(1, "a", "b", 3, 4), get(2, "b", 5, 6)}},
		{"in place of nothing", true, []Op{none(1, "a", 1, 2), get(2, "a", 3, 4), del(1, 5, 6), none(1, "b", 7, 8), get(1, "b", 9, 10)}},
		{"not in place of another", true, []Op{put(1, "a", 1, 2), cas(1, "z", "b", 3, 4).mismatch(), none(1, "c", 5, 6).mismatch(), get(2, "a", 7, 8)}},
		{"one of two at once", true, []Op{put(1, "a", 1, 2), cas(1, "a", "b", 3, 6), cas(2, "a", "c", 4, 7).mismatch(), get(2, "b", 8, 9)}},
		{"unknown, and it happened", true, []Op{put(1, "a", 1, 2), cas(2, "a", "b", 3, 4).but(Unknown), get(1, "a", 5, 6), get(1, "b", 7, 8)}},
		{"unknown, and it didn't", true, []Op{put(1, "a", 1, 2), cas(2, "a", "b", 3, 4).but(Unknown), put(1, "c", 5, 6), get(1, "c", 7, 8)}},
		{"failed", true, []Op{put(1, "a", 1, 2), cas(2, "a", "b", 3, 4).but(Failed), get(1, "a", 5, 6)}},

		{"both of two", false, []Op{put(1, "a", 1, 2), cas(1, "a", "b", 3, 6), cas(2, "a", "c", 4, 7)}},
		{"neither of two", false, []Op{put(1, "a", 1, 2), cas(1, "a", "b", 3, 6).mismatch()}},
		{"in place of what is gone", false, []Op{put(1, "a", 1, 2), put(1, "b", 3, 4), cas(2, "a", "c", 5, 6)}},
		{"in place of nothing, though there is something", false, []Op{put(1, "a", 1, 2), none(2, "b", 3, 4)}},
		{"lost", false, []Op{put(1, "a", 1, 2), cas(1, "a", "b", 3, 4), get(2, "a", 5, 6)}},
		{"mismatched and read", false, []Op{put(1, "a", 1, 2), cas(1, "z", "b", 3, 4).mismatch(), get(2, "b", 5, 6)}},
		{"unknown, and it happened to another value", false, []Op{put(1, "a", 1, 2), cas(2, "z", "b", 3, 4).but(Unknown), get(1, "b", 5, 6)}},
	} {
		judge(t, "CheckLinear", c.name, CheckLinear(c.ops, time.Minute), c.good)
		if c.good { // the others know of it as a put
			judge(t, "CheckRegister", c.name, CheckRegister(c.ops), true)
		}
	}
	judge(t, "CheckRegister", "mismatched and read", CheckRegister([]Op{cas(1, "z", "b", 3, 4).mismatch(), get(2, "b", 5, 6)}), false)
	judge(t, "CheckAcked", "mismatched", CheckAcked([]Op{put(1, "a", 1, 2), cas(1, "z", "b", 3, 4).mismatch()}, []Reading{at("g1", "b")}, "g1"), false)
	judge(t, "CheckAcked", "matched", CheckAcked([]Op{put(1, "a", 1, 2), cas(1, "a", "b", 3, 4)}, []Reading{at("g1", "b")}, "g1"), true)
}

func TestHistoryOfACompareAndSet(t *testing.T) {
	h := NewHistory(nil)
	h.BeginCas(1, "k", "b", "a", false).End(OK, Answer{Found: true, Version: "02"})
	h.BeginCas(1, "k", "c", "", true).End(OK, Answer{Value: "b"})
	ops := h.Ops()
	for i, want := range []Op{
		{Client: 1, Kind: Cas, Key: "k", Value: "b", Wanted: "a", Found: true, Version: "02", Outcome: OK},
		{Client: 1, Kind: Cas, Key: "k", Value: "c", Absent: true, Outcome: OK},
	} {
		if ops[i].Call, ops[i].Return = 0, 0; ops[i] != want {
			t.Errorf("operation %d = %+v, want %+v", i, ops[i], want)
		}
	}
}

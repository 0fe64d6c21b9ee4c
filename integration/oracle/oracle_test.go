package oracle

import (
	"math/rand/v2"
	"testing"
	"time"
)

// Hand-made histories are lists of these: who did what, from when to when, and what came of it.

func put(client int, value string, call, ret int64) Op {
	return Op{Client: client, Kind: Put, Key: "k", Value: value, Call: call, Return: ret, Outcome: OK}
}

func get(client int, value string, call, ret int64) Op {
	return Op{Client: client, Kind: Get, Key: "k", Value: value, Found: true, Call: call, Return: ret, Outcome: OK}
}

func miss(client int, call, ret int64) Op {
	return Op{Client: client, Kind: Get, Key: "k", Call: call, Return: ret, Outcome: OK}
}

func del(client int, call, ret int64) Op {
	return Op{Client: client, Kind: Delete, Key: "k", Call: call, Return: ret, Outcome: OK}
}

func (o Op) but(outcome Outcome) Op { o.Outcome = outcome; return o }
func (o Op) of(key string) Op       { o.Key = key; return o }
func (o Op) at(version string) Op   { o.Version = version; return o }

// judge fails the test unless check's verdict on name is as it should be.
func judge(t *testing.T, check, name string, err error, good bool) {
	t.Helper()
	if (err == nil) != good {
		t.Errorf("%s(%s) = %v, want good = %v", check, name, err, good)
	}
}

var registers = []struct {
	name string
	good bool
	ops  []Op
}{
	{"nothing", true, nil},
	{"absent at first", true, []Op{miss(1, 1, 2), put(1, "a", 3, 4), get(1, "a", 5, 6)}},
	{"one after the other", true, []Op{put(1, "a", 1, 2), get(2, "a", 3, 4), put(1, "b", 5, 6), get(2, "b", 7, 8)}},
	{"a put under way is read, or not", true, []Op{put(1, "a", 1, 2), put(1, "b", 3, 9), get(2, "a", 4, 5), get(3, "b", 6, 7)}},
	{"two puts at once, either first", true, []Op{put(1, "a", 1, 5), put(2, "b", 2, 6), get(3, "a", 7, 8)}},
	{"unknown put is read later", true, []Op{put(1, "a", 1, 2), put(2, "b", 3, 4).but(Unknown), get(3, "a", 5, 6), get(3, "b", 7, 8)}},
	{"unknown put is never read", true, []Op{put(1, "a", 1, 2), put(2, "b", 3, 4).but(Unknown), get(3, "a", 5, 6)}},
	{"failed get says nothing", true, []Op{put(1, "a", 1, 2), get(2, "junk", 3, 4).but(Failed), miss(2, 5, 6).but(Unknown)}},
	{"failed put isn't seen", true, []Op{put(1, "a", 1, 2), put(1, "b", 3, 4).but(Failed), get(1, "a", 5, 6)}},
	{"deleted", true, []Op{put(1, "a", 1, 2), del(1, 3, 4), miss(1, 5, 6), put(1, "b", 7, 8), get(1, "b", 9, 10)}},
	{"unknown delete comes late", true, []Op{put(1, "a", 1, 2), del(1, 3, 4).but(Unknown), get(1, "a", 5, 6), miss(1, 7, 8)}},
	{"delete under way", true, []Op{put(1, "a", 1, 2), del(1, 3, 9), miss(2, 4, 5)}},

	{"stale read", false, []Op{put(1, "a", 1, 2), put(1, "b", 3, 4), get(2, "a", 5, 6)}},
	{"acknowledged put is lost", false, []Op{put(1, "a", 1, 2), miss(2, 3, 4)}},
	{"reads go back", false, []Op{put(1, "a", 1, 2), put(1, "b", 3, 9), get(2, "b", 4, 5), get(3, "a", 6, 7)}},
	{"unknown put comes and goes", false, []Op{put(1, "a", 1, 2), put(2, "b", 3, 4).but(Unknown), get(3, "b", 5, 6), get(3, "a", 7, 8)}},
	{"unknown put counted twice", false, []Op{put(1, "x", 1, 20).but(Unknown), get(2, "x", 2, 3), put(3, "y", 4, 5), get(2, "y", 6, 7), get(2, "x", 8, 9)}},
	{"unknown put is lost after a read", false, []Op{put(1, "a", 1, 2).but(Unknown), get(2, "a", 3, 4), miss(3, 5, 6)}},
	{"read from nowhere", false, []Op{put(1, "a", 1, 2), get(2, "z", 3, 4)}},
	{"read before written", false, []Op{get(2, "a", 1, 2), put(1, "a", 3, 4)}},
	{"failed put is read", false, []Op{put(1, "a", 1, 2).but(Failed), get(2, "a", 3, 4)}},
	{"back from the dead", false, []Op{put(1, "a", 1, 2), del(1, 3, 4), get(2, "a", 5, 6)}},
	{"absent between two reads of one value", false, []Op{put(1, "a", 1, 2), del(2, 3, 20).but(Unknown), get(3, "a", 4, 5), miss(3, 6, 7), get(3, "a", 8, 9)}},
	{"absent with only an old delete", false, []Op{del(1, 1, 2), put(1, "a", 3, 4), miss(2, 5, 6)}},
	{"absent before the only delete", false, []Op{put(1, "a", 1, 2), miss(2, 3, 4), del(1, 5, 6)}},
	{"two readers disagree about the order", false, []Op{put(1, "a", 1, 20), put(2, "b", 2, 21), get(3, "a", 3, 4), get(3, "b", 5, 6), get(4, "a", 7, 8)}},
}

func TestRegisterAndLinearJudgeHandMadeHistories(t *testing.T) {
	for _, h := range registers {
		judge(t, "CheckRegister", h.name, CheckRegister(h.ops), h.good)
		judge(t, "CheckLinear", h.name, CheckLinear(h.ops, time.Minute), h.good)
	}
}

func TestRegisterRejectsValuesThatAreNotUnique(t *testing.T) {
	judge(t, "CheckRegister", "same value twice", CheckRegister([]Op{put(1, "a", 1, 2), put(1, "a", 3, 4)}), false)
}

func TestLinearRefusesWhatItCannotSearch(t *testing.T) {
	var long, wide []Op
	for i := range int64(MaxLinearOps + 1) {
		long = append(long, miss(1, 2*i, 2*i+1))
	}
	for i := range MaxLinearClients + 1 {
		wide = append(wide, miss(i, 1, 2))
	}
	judge(t, "CheckLinear", "one operation too many", CheckLinear(long, time.Minute), false)
	judge(t, "CheckLinear", "at the limit", CheckLinear(long[1:], time.Minute), true)
	judge(t, "CheckLinear", "one client too many", CheckLinear(wide, time.Minute), false)
}

// The quick check must agree with the exhaustive one where it claims to be exact, and must never reject what is right.
func TestRegisterAgreesWithLinearOnRandomHistories(t *testing.T) {
	var good, bad, missed int
	for seed := range uint64(20_000) {
		rng := rand.New(rand.NewPCG(seed, 1))
		deletes := seed%2 == 1
		ops := randomHistory(rng, deletes)
		quick, exact := CheckRegister(ops), CheckLinear(ops, time.Minute)
		switch {
		case exact == nil && quick != nil:
			t.Fatalf("seed %d: rejected, and it's linearizable: %v%s", seed, quick, listing(ops))
		case exact != nil && quick == nil && !deletes:
			t.Fatalf("seed %d: accepted, and it isn't linearizable: %v", seed, exact)
		case exact != nil && quick == nil:
			missed++
		case exact == nil:
			good++
		default:
			bad++
		}
	}
	t.Logf("%d good, %d bad, %d bad ones with deletes accepted by the quick check", good, bad, missed)
	if good < 1000 || bad < 1000 || missed > bad/10 {
		t.Errorf("%d good, %d bad, %d missed: want enough of the first two, and few of the last", good, bad, missed)
	}
}

// randomHistory overlaps a handful of operations, with answers that are often right: each operation takes effect at a random
// instant of its own, and now and then one answers with something else that was written.
func randomHistory(rng *rand.Rand, deletes bool) []Op {
	values := []string{"", "a", "b", "c"}
	written := 0
	var ops []Op
	now, current := int64(0), ""
	for range 4 + rng.IntN(7) {
		now += 10
		call, ret := now-rng.Int64N(25), now+rng.Int64N(25)
		op := Op{Client: rng.IntN(4), Key: "k", Call: call, Return: ret, Outcome: OK}
		switch kind := rng.IntN(5); {
		case kind == 0 && written < len(values)-1:
			written++
			op.Kind, op.Value = Put, values[written]
		case kind == 1 && deletes:
			op.Kind = Delete
		default:
			op.Kind, op.Value = Get, current
			if rng.IntN(2) == 0 {
				op.Value = values[rng.IntN(written+1)]
			}
			op.Found = op.Value != ""
			ops = append(ops, op)
			continue
		}
		takesEffect := rng.IntN(4) != 0
		if !takesEffect || rng.IntN(4) == 0 {
			op.Outcome = Unknown
		}
		if takesEffect {
			current = op.Value
		}
		ops = append(ops, op)
	}
	return ops
}

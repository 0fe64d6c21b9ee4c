package oracle

import (
	"strings"
	"testing"
	"time"
)

func at(place, value string) Reading {
	return Reading{From: place, Key: "k", Value: value, Found: true}
}
func no(place string) Reading { return Reading{From: place, Key: "k"} }

func TestAckedJudgesWhatIsLeft(t *testing.T) {
	one := []Op{put(1, "a", 1, 2)}
	for _, c := range []struct {
		name     string
		good     bool
		ops      []Op
		readings []Reading
	}{
		{"there on both", true, one, []Reading{at("g1", "a"), at("g2", "a")}},
		{"unknown, on one place", true, []Op{put(1, "a", 1, 2).but(Unknown)}, []Reading{at("g1", "a"), no("g2")}},
		{"unknown, and not read", true, []Op{put(1, "a", 1, 2).but(Unknown)}, nil},
		{"failed and absent", true, []Op{put(1, "a", 1, 2).but(Failed)}, []Reading{no("g1"), no("g2")}},
		{"the later of two", true, append(one, put(1, "b", 3, 4)), []Reading{at("g1", "b"), at("g2", "b")}},
		{"either of two at once", true, []Op{put(1, "a", 1, 5), put(2, "b", 2, 6)}, []Reading{at("g1", "a"), at("g2", "a")}},
		{"an unknown one came later", true, append(one, put(1, "b", 3, 4).but(Unknown)), []Reading{at("g1", "b"), at("g2", "b")}},
		{"lost on one", false, one, []Reading{at("g1", "a"), no("g2")}},
		{"not read from one", false, one, []Reading{at("g1", "a")}},
		{"another value", false, one, []Reading{at("g1", "a"), at("g2", "z")}},
		{"failed and there", false, []Op{put(1, "a", 1, 2).but(Failed)}, []Reading{at("g1", "a"), no("g2")}},
		{"the earlier of two", false, append(one, put(1, "b", 3, 4)), []Reading{at("g1", "b"), at("g2", "a")}},
		{"deleted and there", false, append(one, del(1, 3, 4)), []Reading{no("g1"), at("g2", "a")}},
	} {
		judge(t, "CheckAcked", c.name, CheckAcked(c.ops, c.readings, "g1", "g2"), c.good)
	}
	judge(t, "CheckAcked", "no places", CheckAcked(one, []Reading{at("g1", "a")}), false)
}

func TestCopiesAreCountedByPlaceAndValue(t *testing.T) {
	ops := []Op{put(1, "a", 1, 2), put(1, "b", 3, 4)}
	for _, c := range []struct {
		name string
		good bool
		held []Reading
	}{
		{"two", true, []Reading{at("n1", "b"), at("n2", "b"), no("n3")}},
		{"two and an old one", true, []Reading{at("n1", "b"), at("n2", "b"), at("n3", "a")}},
		{"one", false, []Reading{at("n1", "b"), no("n2")}},
		{"one and an old one", false, []Reading{at("n1", "b"), at("n2", "a")}},
		{"one, seen twice", false, []Reading{at("n1", "b"), at("n1", "b")}},
		{"none", false, nil},
	} {
		judge(t, "CheckCopies", c.name, CheckCopies(ops, c.held, 2), c.good)
	}
	judge(t, "CheckCopies", "deleted needs none", CheckCopies(append(ops, del(1, 5, 6)), nil, 2), true)
	judge(t, "CheckCopies", "unknown needs none", CheckCopies([]Op{put(1, "a", 1, 2).but(Unknown)}, nil, 2), true)
}

func TestDeletedStaysDeleted(t *testing.T) {
	gone := []Op{put(1, "a", 1, 2), del(1, 3, 4)}
	judge(t, "CheckDeleted", "gone", CheckDeleted(gone, []Reading{no("g1"), no("g2")}, "g1", "g2"), true)
	judge(t, "CheckDeleted", "put again", CheckDeleted(append(gone, put(1, "b", 5, 6)), []Reading{at("g1", "b")}, "g1"), true)
	judge(t, "CheckDeleted", "may have been put again", CheckDeleted(append(gone, put(1, "b", 5, 6).but(Unknown)), []Reading{at("g1", "b")}, "g1"), true)
	judge(t, "CheckDeleted", "back on one", CheckDeleted(gone, []Reading{no("g1"), at("g2", "a")}, "g1", "g2"), false)
	judge(t, "CheckDeleted", "not asked everywhere", CheckDeleted(gone, []Reading{no("g1")}, "g1", "g2"), false)
}

func TestVersionsFollowTime(t *testing.T) {
	for _, c := range []struct {
		name string
		good bool
		ops  []Op
	}{
		{"rising", true, []Op{put(1, "a", 1, 2).at("01"), get(1, "a", 3, 4).at("01"), put(1, "b", 5, 6).at("02")}},
		{"any order at once", true, []Op{put(1, "a", 1, 5).at("02"), put(2, "b", 2, 6).at("01")}},
		{"unknown ones don't count", true, []Op{put(1, "a", 1, 2).at("09").but(Unknown), put(1, "b", 3, 4).at("01")}},
		{"keys have versions of their own", true, []Op{put(1, "a", 1, 2).at("02"), put(1, "a", 3, 4).at("01").of("other")}},
		{"without versions", true, []Op{put(1, "a", 1, 2), put(1, "b", 3, 4)}},
		{"write not newer", false, []Op{put(1, "a", 1, 2).at("02"), put(1, "b", 3, 4).at("01")}},
		{"write as old as what was read", false, []Op{put(9, "a", 1, 9).at("02"), get(1, "a", 1, 2).at("02"), put(1, "b", 3, 4).at("02")}},
		{"read older than a write", false, []Op{put(1, "a", 1, 2).at("01"), put(1, "b", 3, 4).at("02"), get(1, "a", 5, 6).at("01")}},
		{"reads go back", false, []Op{get(1, "b", 1, 2).at("02"), get(2, "a", 3, 4).at("01")}},
		{"one version, two puts", false, []Op{put(1, "a", 1, 5).at("01"), put(2, "b", 2, 6).at("01")}},
		{"one version, a put and a delete", false, []Op{put(1, "a", 1, 5).at("01"), get(3, "a", 1, 7).at("01"), del(2, 2, 6).at("01")}},
		{"one version, read as another value", false, []Op{put(1, "a", 1, 5).at("01"), get(2, "b", 2, 6).at("01")}},
	} {
		judge(t, "CheckVersions", c.name, CheckVersions(c.ops), c.good)
	}
}

func TestStoredVersionsNeverGoBack(t *testing.T) {
	judge(t, "CheckStored", "rising, nodes apart", CheckStored([]Op{miss(1, 1, 2), get(1, "b", 3, 4).at("02"), get(2, "a", 5, 6).at("01")}), true)
	judge(t, "CheckStored", "back", CheckStored([]Op{get(1, "b", 1, 2).at("02"), get(1, "a", 3, 4).at("01")}), false)
	judge(t, "CheckStored", "gone", CheckStored([]Op{get(1, "b", 1, 2).at("02"), miss(1, 3, 4)}), false)
}

func TestValuesProveThemselves(t *testing.T) {
	whole := MakeValue("k", 3, 14, 200)
	if len(whole) != 200 {
		t.Errorf("len(MakeValue(200)) = %d, want 200", len(whole))
	}
	for _, c := range []struct {
		name, key, value string
		good             bool
	}{
		{"whole", "k", whole, true},
		{"smaller than it can be", "k", MakeValue("k", 1, 1, 0), true},
		{"odd key", "a b/\"c\n%", MakeValue("a b/\"c\n%", 1, 1, 64), true},
		{"cut short", "k", whole[:150], false},
		{"one bit", "k", strings.Replace(whole, "14", "15", 1), false},
		{"another key's", "k", MakeValue("j", 3, 14, 200), false},
		{"empty", "k", "", false},
		{"somebody else's, with a checksum", "k", checksum("hello") + "hello", false},
	} {
		judge(t, "CheckValue", c.name, CheckValue(c.key, c.value), c.good)
	}
	judge(t, "CheckValues", "whole", CheckValues([]Op{get(1, whole, 1, 2), miss(1, 3, 4)}), true)
	judge(t, "CheckValues", "damaged", CheckValues([]Op{get(1, whole[1:], 1, 2)}), false)
}

const ms = int64(time.Millisecond)

// steady is a load of two clients, an operation each 10 ms, until 2 s.
func steady() (ops []Op) {
	for i := range int64(200) {
		ops = append(ops, get(1, "a", 10*i*ms+1, (10*i+9)*ms), get(2, "a", 10*i*ms+2, (10*i+9)*ms+1))
	}
	return ops
}

func TestMeasureCountsErrorsAndGaps(t *testing.T) {
	from, to := 1000*ms, 2000*ms
	fine := Measure(steady(), from, to)
	if fine.Total != 200 || fine.Errors != 0 || fine.Gap > 20*time.Millisecond || fine.Recovery != 0 {
		t.Errorf("Measure(steady) = %v, want 200 operations, none failed, a gap of about 10ms", fine)
	}
	judge(t, "Check", "steady", fine.Check(0.001, time.Second), true)
	judge(t, "Check", "nothing", Measure(nil, from, to).Check(1, time.Hour), false)

	failing := steady()
	for i := range failing {
		if failing[i].Call > 1100*ms && failing[i].Call < 1200*ms {
			failing[i].Outcome = Unknown
		}
	}
	a := Measure(failing, from, to)
	if a.Errors != 18 && a.Errors != 20 {
		t.Errorf("Measure(failing).Errors = %d, want those of 100 ms", a.Errors)
	}
	if a.Recovery < 190*time.Millisecond || a.Recovery > 210*time.Millisecond {
		t.Errorf("Measure(failing).Recovery = %v, want about 200ms", a.Recovery)
	}
	judge(t, "Check", "10 % errors", a.Check(0.001, time.Second), false)
	judge(t, "Check", "10 % errors allowed, and 100 ms", a.Check(0.15, 150*time.Millisecond), true)
	judge(t, "Check", "a gap of 100 ms", a.Check(0.15, 50*time.Millisecond), false)

	// Client 2 hangs in one operation for a second while client 1 goes on: hardly an error, and still a gap.
	var hanging []Op
	for _, op := range steady() {
		if op.Client == 1 || op.Call < 900*ms {
			hanging = append(hanging, op)
		}
	}
	hanging = append(hanging, get(2, "a", 900*ms, 1900*ms))
	judge(t, "Check", "one client hangs", Measure(hanging, from, to).Check(0.001, 500*time.Millisecond), false)
	judge(t, "Check", "never answered", Measure(append(steady(), get(3, "a", 900*ms, Never).but(Unknown)), from, to).Check(0.001, time.Hour), false)
}

func TestValidRunsHaveLoadAndFaults(t *testing.T) {
	fault := []Fault{{At: 1000 * ms, What: "kill n1"}}
	judge(t, "CheckValid", "load and a fault", CheckValid(steady(), fault, 199), true)
	judge(t, "CheckValid", "too little load", CheckValid(steady(), fault, 201), false)
	judge(t, "CheckValid", "no fault", CheckValid(steady(), nil, 1), false)
	judge(t, "CheckValid", "fault at once", CheckValid(steady(), []Fault{{At: 1}}, 1), false)
	judge(t, "CheckValid", "fault at the end", CheckValid(steady(), []Fault{{At: 5000 * ms}}, 1), false)
	judge(t, "CheckValid", "no operations", CheckValid(nil, fault, 0), false)
	failed := steady()
	for i := range failed {
		failed[i].Outcome = Failed
	}
	judge(t, "CheckValid", "load that fails", CheckValid(failed, fault, 1), false)
}

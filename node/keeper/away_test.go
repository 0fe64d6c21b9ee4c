package keeper

import (
	"strings"
	"testing"
	"time"

	"ringkv/hashring/membership"
)

func TestNodesThatAreAwayForLong(t *testing.T) {
	five := doc(t, "a b c d e")
	for _, tt := range []struct {
		name    string
		stored  string // what generation 0 lists
		passing string
		away    map[string]int // seconds
		want    string
		why     string
	}{
		{name: "not long enough", passing: "a b c d", away: map[string]int{"e": 59}, want: "nothing"},
		{name: "long enough", passing: "a b c d", away: map[string]int{"e": 60}, want: "1: a b c d", why: "e was away for too long"},
		{name: "two at once", passing: "a b c", away: map[string]int{"d": 61, "e": 70}, want: "1: a b c", why: "d, e was away"},
		{name: "one of two", passing: "a b c", away: map[string]int{"d": 61, "e": 20}, want: "1: a b c e", why: "d was away"},
		{name: "fewer than copies would be left", stored: "a b c", passing: "a b", away: map[string]int{"c": 3600}, want: "nothing"},
		{name: "too few pass", passing: "a b", away: map[string]int{"c": 90, "d": 90, "e": 90}, want: "nothing"},
		{name: "another takes its place", stored: "a b c", passing: "a b x", away: map[string]int{"c": 90}, want: "1: a b x", why: "x joined; c was away"},
		{name: "back on another disk", passing: "a b c d e/2", away: map[string]int{}, want: "1: a b c d e/2", why: "another disk"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			stored := five
			if tt.stored != "" {
				stored = doc(t, tt.stored)
			}
			s := &state{
				now: noon, replicas: 3, stored: stored, passing: candidates(t, tt.passing), changed: noon.Add(-time.Hour),
				reports: answers(tt.passing, stored), rebalanceAfter: time.Minute, away: map[string]time.Time{},
			}
			for id, seconds := range tt.away {
				s.away[id] = noon.Add(-time.Duration(seconds) * time.Second)
			}
			d, why, ok := propose(s)
			if line(d) != tt.want || ok && !strings.Contains(d.Why, tt.why) {
				t.Errorf("propose = %s, %q, want %s, %q", line(d), why, tt.want, tt.why)
			}
			s.rebalanceAfter = 0
			if d, _, _ := propose(s); d != nil && strings.Contains(d.Why, "away") {
				t.Errorf("propose = %s without a limit of absence", line(d))
			}
		})
	}
}

func TestTrackerKnowsSinceWhenNodesAreAway(t *testing.T) {
	snap := func(words string) *membership.Snapshot {
		s := &membership.Snapshot{}
		for _, w := range strings.Fields(words) {
			s.Members = append(s.Members, member(t, w))
		}
		return s
	}
	var tr tracker
	at := func(seconds int) time.Time { return noon.Add(time.Duration(seconds) * time.Second) }
	for _, step := range []struct {
		at      int
		passing string
	}{{0, "a b"}, {10, "a"}, {20, "a"}, {30, "a b/2"}, {40, "a b"}, {50, "a"}} {
		tr.update(snap(step.passing), at(step.at))
	}
	for _, tt := range []struct {
		id, disk string
		want     time.Time
	}{
		{"b", "1", at(50)}, // it came back in between
		{"b", "2", at(40)},
		{"z", "1", at(0)}, // never seen: since the tracker began
	} {
		if got := tr.awaySince(tt.id, tt.disk); !got.Equal(tt.want) {
			t.Errorf("awaySince(%s, %s) = %v, want %v", tt.id, tt.disk, got, tt.want)
		}
	}
}

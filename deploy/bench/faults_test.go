package main

import (
	"errors"
	"strings"
	"testing"
	"time"
)

func TestTrialCountsAndTimes(t *testing.T) {
	began := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	at := func(ms int) time.Time { return began.Add(time.Duration(ms) * time.Millisecond) }
	var answers []answer
	for ms := 10; ms < 300; ms += 10 { // a read and a write each, but for 120 to 180
		if ms < 120 || ms > 180 {
			answers = append(answers, answer{method: "GET", began: at(ms - 1), ended: at(ms), status: 200}, answer{method: "PUT", began: at(ms - 1), ended: at(ms), status: 200})
		}
	}
	answers = append(answers, answer{method: "PUT", began: at(120), ended: at(170), err: errors.New("reset")})
	got := trialOf(load{requests: 1000, refused: 1, broken: 2, longest: 40 * time.Millisecond}, answers, began, at(100), at(300))
	if got.requests != 1000+len(answers) || got.failed != 4 {
		t.Errorf("trialOf counts %d requests and %d failures, want %d and 4", got.requests, got.failed, 1000+len(answers))
	}
	if got.before != 10*time.Millisecond || got.after != 80*time.Millisecond || got.longest != 50*time.Millisecond {
		t.Errorf("gap before %v, after %v, longest request %v, want 10, 80 and 50 ms", got.before, got.after, got.longest)
	}
	if got.says != "; reset" {
		t.Errorf("it says %q", got.says)
	}
}

func TestFaultTables(t *testing.T) {
	var text strings.Builder
	cfg := config{rounds: 2, each: 5 * time.Second, nodes: 3}
	trials := [][]trial{
		{{requests: 1000, after: 20 * time.Millisecond, before: 10 * time.Millisecond, longest: 30 * time.Millisecond}, {requests: 500, failed: 1, after: 90 * time.Millisecond}},
		{{requests: 7}, {requests: 8}},
	}
	if err := writeTrials(&text, cfg, trials); err != nil {
		t.Fatal(err)
	}
	crowds := []crowd{
		{method: "PUT", peak: 1000, goodput: 700, seen: load{refused: 5, p50: time.Millisecond, p99: 2 * time.Millisecond}, refusals: 2, slowestRefusal: 4 * time.Millisecond, strange: 1},
		{method: "GET", peak: 1000, goodput: 900, strange: 1},
	}
	if err := writeCrowds(&text, cfg, crowds, "2 CPUs"); err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{
		"| killed (kill -9), started again | 1,500 | 1 | 90.0 | 10.0 | 30.0 |",
		"| paused (SIGSTOP), continued | 15 | 0 | 0.00 | 0.00 | 0.00 |",
		"| PUT | 1,000 | 700 | 70 % | 5 | 0 | 1.00 | 2.00 | 4.00 (2) |",
		"| GET | 1,000 | 900 | 90 % | 0 | 0 | 0.00 | 0.00 | none seen |",
		"The machine was busy",
	} {
		if !strings.Contains(text.String(), want) {
			t.Errorf("the tables don't say %q:\n%s", want, text.String())
		}
	}
}

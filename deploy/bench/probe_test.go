package main

import (
	"errors"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"
)

func TestGap(t *testing.T) {
	began := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	at := func(ms int) time.Time { return began.Add(time.Duration(ms) * time.Millisecond) }
	answers := []answer{
		{method: "GET", ended: at(90), status: 200}, // the order is of the beginnings
		{method: "GET", ended: at(10), status: 200},
		{method: "GET", ended: at(30), status: 503},
		{method: "GET", ended: at(40), err: errors.New("reset")},
		{method: "PUT", ended: at(50), status: 200},
		{method: "GET", ended: at(60), status: 200},
	}
	for _, test := range []struct {
		method         string
		from, to, want int
	}{
		{"GET", 0, 100, 50}, // from 10 to 60: a refusal is no service
		{"GET", 50, 100, 30},
		{"GET", 0, 9, 9}, // nothing at all
		{"GET", 50, 200, 110},
		{"PUT", 0, 100, 50},
	} {
		if got := gap(answers, test.method, at(test.from), at(test.to)); got != time.Duration(test.want)*time.Millisecond {
			t.Errorf("gap(%s, %d, %d) = %v, want %d ms", test.method, test.from, test.to, got, test.want)
		}
	}
}

func TestProbe(t *testing.T) {
	s := &store{status: http.StatusOK}
	server := httptest.NewServer(s)
	defer server.Close()
	answers := newProbe().run(t.Context(), server.URL+"/kv/", allValues(10)[0], 100*time.Millisecond)
	if len(answers) == 0 || len(answers) != len(s.asked) {
		t.Fatalf("%d answers to %d requests", len(answers), len(s.asked))
	}
	methods := map[string]int{}
	for _, a := range answers {
		if !a.good() || a.took() < 0 {
			t.Errorf("answer %+v is not a good one", a)
		}
		methods[a.method]++
	}
	if d := methods["GET"] - methods["PUT"]; d < 0 || d > 1 {
		t.Errorf("requests by method = %v, want them in turns", methods)
	}
}

func TestProbeSeesRefusals(t *testing.T) {
	server := httptest.NewServer(&store{status: http.StatusServiceUnavailable})
	answers := newProbe().run(t.Context(), server.URL+"/kv/", allValues(10)[0], 50*time.Millisecond)
	server.Close()
	if len(answers) == 0 {
		t.Fatal("no answers")
	}
	for _, a := range answers {
		if !a.refusal() || a.good() || a.failure() != a.method+" was answered 503: " {
			t.Errorf("answer = %+v, want a refusal", a)
		}
	}
	answers = newProbe().run(t.Context(), server.URL+"/kv/", allValues(10)[0], 50*time.Millisecond)
	if got := trialOf(load{requests: 5, refused: 1, broken: 1}, answers, time.Time{}, time.Time{}, time.Time{}); len(answers) == 0 || got.failed != 2+len(answers) || got.requests != 5+len(answers) {
		t.Errorf("trial of a server that is gone = %+v, want all %d requests failed", got, len(answers))
	}
}

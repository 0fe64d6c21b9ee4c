package main

import (
	"testing"
	"time"
)

func TestParseConfig(t *testing.T) {
	for _, test := range []struct {
		rounds, each string
		want         config
		fails        bool
	}{
		{want: config{rounds: 3, each: 5 * time.Second}},
		{rounds: "1", each: "2", want: config{rounds: 1, each: 2 * time.Second}},
		{rounds: "0", fails: true},
		{each: "1.5", fails: true},
		{rounds: "many", fails: true},
	} {
		environment := map[string]string{"ROUNDS": test.rounds, "SECONDS_EACH": test.each}
		got, err := parseConfig(func(name string) string { return environment[name] })
		if got != test.want || (err != nil) != test.fails {
			t.Errorf("parseConfig(%v) = %+v, %v, want %+v, fails %v", environment, got, err, test.want, test.fails)
		}
	}
}

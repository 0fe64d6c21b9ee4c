package main

import (
	"strings"
	"testing"
	"time"
)

// printed is what wrk 4.1.0 prints with the script.
const printed = `Running 1s test @ http://127.0.0.1:8001/kv/
  2 threads and 64 connections
  Thread Stats   Avg      Stdev     Max   +/- Stdev
    Latency     1.08ms    1.21ms  18.33ms   88.90%
    Req/Sec    36.06k     4.07k   42.41k    71.43%
  75456 requests in 1.05s, 11.30MB read
Requests/sec:  71728.88
Transfer/sec:     10.74MB
{"requests":75456,"micros":1051961,"p50":650,"p99":5780,"p999":9000,"max":18330,"errors":{"connect":0,"read":0,"write":0,"status":0,"timeout":0}}
`

func TestParseLoad(t *testing.T) {
	got, err := parseLoad([]byte(printed))
	want := load{requests: 75456, took: 1051961 * time.Microsecond, p50: 650 * time.Microsecond, p99: 5780 * time.Microsecond,
		p999: 9 * time.Millisecond, longest: 18330 * time.Microsecond}
	if err != nil || got != want {
		t.Fatalf("parseLoad = %+v, %v, want %+v", got, err, want)
	}
}

func TestParseLoadCountsFailures(t *testing.T) {
	for old, want := range map[string]load{
		`"status":0`: {refused: 7}, `"timeout":0`: {broken: 7}, `"connect":0`: {broken: 7}, `"read":0`: {broken: 7}, `"write":0`: {broken: 7},
	} {
		got, err := parseLoad([]byte(strings.Replace(printed, old, strings.Replace(old, "0", "7", 1), 1)))
		if err != nil || got.refused != want.refused || got.broken != want.broken {
			t.Errorf("parseLoad with 7 for %s = %+v, %v", old, got, err)
		}
	}
}

func TestParseLoadRefuses(t *testing.T) {
	for name, test := range map[string]struct{ old, new, says string }{
		"no time":        {`"micros":1051961`, `"micros":0`, "wrk printed no time"},
		"another script": {`{"requests"`, `requests`, "wrk printed no figures"},
	} {
		got, err := parseLoad([]byte(strings.Replace(printed, test.old, test.new, 1)))
		if err == nil || !strings.Contains(err.Error(), test.says) {
			t.Errorf("%s: parseLoad = %+v, %v, want an error with %q", name, got, err, test.says)
		}
	}
}

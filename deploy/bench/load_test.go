package main

import (
	"io"
	"net/http"
	"net/http/httptest"
	"os/exec"
	"strconv"
	"strings"
	"sync"
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
{"requests":75456,"micros":1051961,"p50":650,"p99":5780,"errors":{"connect":0,"read":0,"write":0,"status":0,"timeout":0}}
`

func TestParseLoad(t *testing.T) {
	got, err := parseLoad([]byte(printed))
	want := load{requests: 75456, took: 1051961 * time.Microsecond, p50: 650 * time.Microsecond, p99: 5780 * time.Microsecond}
	if err != nil || got != want {
		t.Fatalf("parseLoad = %+v, %v, want %+v", got, err, want)
	}
}

func TestParseLoadRefuses(t *testing.T) {
	for name, test := range map[string]struct{ old, new, says string }{
		"answers that are errors":    {`"status":0`, `"status":7`, "7 were answered 4xx or 5xx"},
		"requests without an answer": {`"timeout":0`, `"timeout":2`, "2 timed out"},
		"refused connections":        {`"connect":0`, `"connect":64`, "failed 64 times to open"},
		"broken reads":               {`"read":0`, `"read":3`, "3 to be read"},
		"broken writes":              {`"write":0`, `"write":4`, "4 to be written"},
		"silence":                    {`"requests":75456`, `"requests":0`, "no request was answered"},
		"another script":             {`{"requests"`, `requests`, "wrk printed no figures"},
	} {
		t.Run(name, func(t *testing.T) {
			got, err := parseLoad([]byte(strings.Replace(printed, test.old, test.new, 1)))
			if err == nil || !strings.Contains(err.Error(), test.says) {
				t.Fatalf("parseLoad = %+v, %v, want an error with %q", got, err, test.says)
			}
		})
	}
}

// store notes what wrk asks it.
type store struct {
	mu     sync.Mutex // guards what follows
	asked  map[string]int
	values map[string]int
	status int
}

func (s *store) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, _ := io.ReadAll(r.Body)
	s.mu.Lock()
	defer s.mu.Unlock()
	s.asked[r.Method+" "+r.URL.String()]++
	s.values[string(body)]++
	w.WriteHeader(s.status)
}

func runWrk(t *testing.T, s *store, op operation) (load, error) {
	t.Helper()
	wrk, err := exec.LookPath("wrk")
	if err != nil {
		t.Skip("wrk is not installed")
	}
	server := httptest.NewServer(s)
	defer server.Close() // which waits for what is under way
	g, err := newGenerator(wrk, t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	return g.run(t.Context(), op, server.URL+"/kv/", time.Second)
}

func newStore(status int) *store {
	return &store{asked: map[string]int{}, values: map[string]int{}, status: status}
}

func TestWrkAsksForRandomKeys(t *testing.T) {
	for _, op := range operations() {
		t.Run(op.method, func(t *testing.T) {
			s := newStore(http.StatusOK)
			got, err := runWrk(t, s, op)
			if err != nil {
				t.Fatal(err)
			}
			// wrk goes away without its last answers.
			if seen := total(s.asked); got.requests > seen || got.requests < seen-connections {
				t.Errorf("wrk counted %d requests, and %d came", got.requests, seen)
			}
			for request := range s.asked {
				number := strings.TrimSuffix(strings.TrimPrefix(request, op.method+" /kv/key"), op.query)
				if n, err := strconv.Atoi(number); err != nil || n < 1 || n > keys {
					t.Fatalf("wrk asked %q", request)
				}
			}
			if few := min(keys, got.requests) / 4; len(s.asked) < few {
				t.Errorf("%d requests were for %d keys, want %d at least", got.requests, len(s.asked), few)
			}
		})
	}
}

func TestWrkWritesValuesThatDiffer(t *testing.T) {
	s := newStore(http.StatusOK)
	got, err := runWrk(t, s, operation{method: "PUT"})
	if err != nil {
		t.Fatal(err)
	}
	for value, times := range s.values {
		if len(value) != valueBytes || times > threads {
			t.Fatalf("a value of %d bytes came %d times, want %d bytes, and once from each thread", len(value), times, valueBytes)
		}
	}
	if len(s.values) < got.requests/threads {
		t.Errorf("%d requests wrote %d values", got.requests, len(s.values))
	}
}

func TestLoadFailsOnErrorAnswers(t *testing.T) {
	if got, err := runWrk(t, newStore(http.StatusServiceUnavailable), operation{method: "GET"}); err == nil {
		t.Fatalf("run = %+v, want an error", got)
	}
}

func total(counts map[string]int) int {
	sum := 0
	for _, n := range counts {
		sum += n
	}
	return sum
}

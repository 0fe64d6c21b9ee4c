package main

import (
	"encoding/base64"
	"encoding/json"
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

// request is what wrk asked of a store, whatever the dialect.
type request struct {
	method, path, key, value string
}

// store notes what wrk asks it.
type store struct {
	status int
	mu     sync.Mutex // guards what follows
	asked  []request
}

func (s *store) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, _ := io.ReadAll(r.Body)
	asked := request{method: r.Method, path: r.URL.String(), value: string(body)}
	if r.Method == http.MethodPost {
		var in struct{ Key, Value []byte } // which are base64 in JSON
		if err := json.Unmarshal(body, &in); err != nil || r.ContentLength != int64(len(body)) {
			w.WriteHeader(http.StatusBadRequest)
			return
		}
		asked.key, asked.value = string(in.Key), string(in.Value)
	} else {
		asked.key = strings.TrimPrefix(r.URL.Path, "/kv/")
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.asked = append(s.asked, asked)
	w.WriteHeader(s.status)
}

// runWrk has wrk load as many servers in front of s as w has gateways.
func runWrk(t *testing.T, s *store, d dialect, w workload) (load, error) {
	t.Helper()
	wrk, err := exec.LookPath("wrk")
	if err != nil {
		t.Skip("wrk is not installed")
	}
	to := target{dialect: d, query: "?raw"}
	for range w.gateways {
		server := httptest.NewServer(s)
		defer server.Close() // which waits for what is under way
		to.urls = append(to.urls, server.URL+"/kv/")
	}
	g, err := newGenerator(wrk, t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	return g.run(t.Context(), w, to, time.Second)
}

func TestWrkAsks(t *testing.T) {
	sizes := allValues(10_000)
	for _, d := range []dialect{inPath, inJSON} {
		for _, w := range []workload{{"PUT", 100, sizes[0], 64, 2}, {"GET", 0, sizes[0], 1, 1}, {"mixed", 5, sizes[0], 8, 1}, {"PUT", 100, sizes[2], 2, 1}} {
			t.Run(string(d)+" "+w.name(), func(t *testing.T) {
				s := &store{status: http.StatusOK}
				got, err := runWrk(t, s, d, w)
				if err != nil {
					t.Fatal(err)
				}
				// wrk goes away without its last answers.
				if got.requests > len(s.asked) || got.requests < len(s.asked)-w.connections {
					t.Errorf("wrk counted %d requests, and %d came", got.requests, len(s.asked))
				}
				checkKeys(t, s.asked, w.values)
				checkWrites(t, s.asked, d, w)
			})
		}
	}
}

func checkKeys(t *testing.T, asked []request, v values) {
	t.Helper()
	keys := map[string]bool{}
	for _, r := range asked {
		n, err := strconv.Atoi(strings.TrimPrefix(r.key, v.prefix))
		if err != nil || n < 1 || n > v.keys || v.key(n) != r.key {
			t.Fatalf("wrk asked for %q", r.key)
		}
		keys[r.key] = true
	}
	if few := min(v.keys, len(asked)) / 4; len(keys) < few {
		t.Errorf("%d requests were for %d keys, want %d at least", len(asked), len(keys), few)
	}
}

func checkWrites(t *testing.T, asked []request, d dialect, w workload) {
	t.Helper()
	written := map[string]int{}
	for _, r := range asked {
		write := r.method == http.MethodPut || strings.HasSuffix(r.path, "/put")
		switch {
		case !write && d == inPath && (r.method != http.MethodGet || !strings.HasSuffix(r.path, "?raw")), !write && r.value != "":
			t.Fatalf("wrk asked %s %s with %d bytes", r.method, r.path, len(r.value))
		case write:
			written[r.value]++
		}
	}
	writes := 0
	for value, times := range written {
		writes += times
		if len(value) != w.values.bytes || times > 1 {
			t.Fatalf("a value of %d bytes came %d times, want %d bytes, once", len(value), times, w.values.bytes)
		}
	}
	if part := 100 * writes / len(asked); part < w.writes/2 || part > min(100, 2*w.writes) {
		t.Errorf("%d of %d requests wrote, want %d %%", writes, len(asked), w.writes)
	}
}

func TestWrkSpreadsOverAllGateways(t *testing.T) {
	wrk, err := exec.LookPath("wrk")
	if err != nil {
		t.Skip("wrk is not installed")
	}
	first, second := &store{status: http.StatusOK}, &store{status: http.StatusOK}
	a, b := httptest.NewServer(first), httptest.NewServer(second)
	defer a.Close()
	defer b.Close()
	g, err := newGenerator(wrk, t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	w := workload{"GET", 0, allValues(10)[0], 4, 2}
	if _, err := g.run(t.Context(), w, target{dialect: inPath, urls: []string{a.URL + "/kv/", b.URL + "/kv/"}}, time.Second); err != nil {
		t.Fatal(err)
	}
	if len(first.asked) == 0 || len(second.asked) == 0 {
		t.Errorf("the gateways were asked %d and %d times", len(first.asked), len(second.asked))
	}
}

func TestLoadFailsOnErrorAnswers(t *testing.T) {
	w := workload{"GET", 0, allValues(10)[0], 4, 1}
	got, err := runWrk(t, &store{status: http.StatusServiceUnavailable}, inPath, w)
	if err == nil || got.refused != got.requests {
		t.Fatalf("run = %+v, %v, want an error and nothing but refusals", got, err)
	}
}

func TestPutAsksAsWrkDoes(t *testing.T) {
	s := &store{status: http.StatusOK}
	server := httptest.NewServer(s)
	defer server.Close()
	for _, d := range []dialect{inPath, inJSON} {
		if err := newBrowser().put(t.Context(), d, server.URL+"/kv/", "key000000001", "value"); err != nil {
			t.Fatal(err)
		}
	}
	for i, r := range s.asked {
		if r.key != "key000000001" || r.value != "value" {
			t.Errorf("request %d = %+v", i, r)
		}
	}
	if !strings.HasSuffix(s.asked[1].path, "/kv/put") {
		t.Errorf("etcd was asked %s, with a body such as %s", s.asked[1].path, base64.StdEncoding.EncodeToString([]byte("key")))
	}
}

package main

import (
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strconv"
	"strings"
	"sync"
	"testing"
)

// answering is a server that gives each path its answer, and its port.
func answering(t *testing.T, answers map[string]string) (host string, port int) {
	t.Helper()
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { _, _ = fmt.Fprint(w, answers[r.URL.Path]) }))
	t.Cleanup(server.Close)
	at, err := url.Parse(server.URL)
	if err != nil {
		t.Fatal(err)
	}
	port, err = strconv.Atoi(at.Port())
	if err != nil {
		t.Fatal(err)
	}
	return at.Host, port
}

func TestLeaderOf(t *testing.T) {
	for _, test := range []struct{ leader, peers, want string }{
		{`"127.0.0.1:8302"`, `["127.0.0.1:8301","127.0.0.1:8302"]`, "s2"},
		{`"127.0.0.1:8302"`, `["127.0.0.1:8302"]`, ""}, // one has not joined yet
		{`""`, `["127.0.0.1:8301","127.0.0.1:8302"]`, ""},
		{`"127.0.0.1:9999"`, `["127.0.0.1:8301","127.0.0.1:8302"]`, ""},
	} {
		_, port := answering(t, map[string]string{"/v1/status/leader": test.leader, "/v1/status/peers": test.peers})
		servers := []consulServer{{name: "s1", http: port, rpc: 8301}, {name: "s2", rpc: 8302}}
		got, err := leaderOf(t.Context(), newBrowser(), servers)
		if got.name != test.want || (err == nil) != (test.want != "") {
			t.Errorf("leaderOf with leader %s and peers %s = %q, %v, want %q", test.leader, test.peers, got.name, err, test.want)
		}
	}
}

func TestWholeRing(t *testing.T) {
	for ring, whole := range map[string]bool{
		`{"nodes":[{"id":"a"},{"id":"b"},{"id":"c"}],"away":[]}`:           true,
		`{"nodes":[{"id":"a"},{"id":"b"}],"away":[{"id":"c"}]}`:            false,
		`{"nodes":[{"id":"a"},{"id":"b"}]}`:                                false,
		`{"nodes":[{"id":"a"},{"id":"b"},{"id":"c"}],"away":[{"id":"d"}]}`: false,
	} {
		host, _ := answering(t, map[string]string{"/ring": ring})
		if err := wholeRing(t.Context(), newBrowser(), host); (err == nil) != whole {
			t.Errorf("wholeRing of %s = %v, want whole %v", ring, err, whole)
		}
	}
}

func TestFillWritesEveryKey(t *testing.T) {
	var mu sync.Mutex // guards written
	written := map[string]bool{}
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		mu.Lock()
		defer mu.Unlock()
		written[strings.TrimPrefix(r.URL.Path, "/kv/")] = r.ContentLength == valueBytes
	}))
	t.Cleanup(server.Close)
	if err := newBrowser().fill(t.Context(), server.URL+"/kv/"); err != nil {
		t.Fatal(err)
	}
	for i := 1; i <= keys; i++ {
		if key := fmt.Sprintf("key%d", i); !written[key] {
			t.Fatalf("%s was not written with %d bytes", key, valueBytes)
		}
	}
}

func TestFillStopsWhenItIsTold(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := newBrowser().fill(ctx, "http://127.0.0.1:1/kv/"); err == nil {
		t.Error("fill = nil, want an error")
	}
}

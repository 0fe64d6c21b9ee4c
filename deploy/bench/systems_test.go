package main

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"strconv"
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
		if err := wholeRing(t.Context(), newBrowser(), host, 3); (err == nil) != whole {
			t.Errorf("wholeRing of %s = %v, want whole %v", ring, err, whole)
		}
	}
}

// What a gateway may take is no business of the nodes.
func TestGatewayProcs(t *testing.T) {
	for _, procs := range []int{0, 1} {
		for _, c := range ringkvCommands(programs{node: "kvnode", gateway: "kvgateway"}, "", []int{1, 2, 3}, []string{"a:1", "a:2"}, "consul:1", procs) {
			want := c.path == "kvgateway" && procs > 0
			if got := slices.Contains(c.env, "GOMAXPROCS=1"); got != want {
				t.Errorf("with %d, %s has the environment %v, want GOMAXPROCS in it %v", procs, c.name, c.env, want)
			}
		}
	}
}

func TestEtcdLeader(t *testing.T) {
	status := func(member, leader, revision string) string {
		return fmt.Sprintf(`{"header":{"member_id":"%s","revision":"%s"},"leader":"%s"}`, member, revision, leader)
	}
	for name, test := range map[string]struct {
		status [3]string
		want   string
	}{
		"whole":                      {[3]string{status("1", "2", "70"), status("2", "2", "77"), status("3", "2", "77")}, "b"},
		"no leader yet":              {[3]string{status("1", "", "1"), status("2", "", "1"), status("3", "", "1")}, ""},
		"two leaders":                {[3]string{status("1", "1", "1"), status("2", "2", "1"), status("3", "2", "1")}, ""},
		"the leader is someone else": {[3]string{status("1", "9", "1"), status("2", "9", "1"), status("3", "9", "1")}, ""},
	} {
		var members []etcdMember
		for i, answer := range test.status {
			_, port := answering(t, map[string]string{"/v3/maintenance/status": answer})
			members = append(members, etcdMember{name: string(rune('a' + i)), client: port})
		}
		leader, revision, err := etcdLeader(t.Context(), newBrowser(), members)
		if leader.name != test.want || (err == nil) != (test.want != "") || (err == nil && revision != "77") {
			t.Errorf("%s: etcdLeader = %q, revision %s, %v, want %q", name, leader.name, revision, err, test.want)
		}
	}
}

func TestWithout(t *testing.T) {
	small, large := allValues(10)[0], allValues(10)[2]
	for _, test := range []struct {
		w    workload
		want string
	}{
		{workload{"PUT", 100, small, 64, 1}, ""},
		{workload{"PUT", 100, large, 64, 1}, "limit 512 KB"},
		{workload{"GET", 0, small, 64, 2}, "one leader"},
	} {
		if got := consulWithout(test.w); got != test.want {
			t.Errorf("consulWithout(%s) = %q, want %q", test.w.name(), got, test.want)
		}
	}
}

func TestFillWritesEveryKey(t *testing.T) {
	s := &store{status: http.StatusOK}
	server := httptest.NewServer(s)
	t.Cleanup(server.Close)
	v := values{prefix: "mid", keys: 300, bytes: 50}
	if err := newBrowser().fill(t.Context(), inPath, server.URL+"/kv/", v, io.Discard); err != nil {
		t.Fatal(err)
	}
	written := map[string]bool{}
	for _, r := range s.asked {
		written[r.key] = len(r.value) == v.bytes
	}
	for i := 1; i <= v.keys; i++ {
		if !written[v.key(i)] {
			t.Fatalf("%s was not written with %d bytes", v.key(i), v.bytes)
		}
	}
}

func TestFillStopsWhenItIsTold(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := newBrowser().fill(ctx, inPath, "http://127.0.0.1:1/kv/", allValues(10)[0], io.Discard); err == nil {
		t.Error("fill = nil, want an error")
	}
}

func TestWorkloadNames(t *testing.T) {
	small := allValues(10)[0]
	for want, w := range map[string]workload{
		"GET 100 B, 1 connection":               {"GET", 0, small, 1, 1},
		"PUT 100 B, 64 connections, 2 gateways": {"PUT", 100, small, 64, 2},
		"GET 100 B, 64 connections, at a node":  {"GET", 0, small, 64, 0},
		"mixed 95/5 100 B, 512 connections":     {"mixed 95/5", 5, small, 512, 1},
	} {
		if got := w.name(); got != want {
			t.Errorf("%+v is called %q, want %q", w, got, want)
		}
	}
}

func TestOwnedPart(t *testing.T) {
	for nodes, want := range map[int]string{3: "every key", 9: "3 in 9 keys"} {
		if got := ownedPart(nodes); got != want {
			t.Errorf("of %d nodes one has a copy of %s, want %s", nodes, got, want)
		}
	}
}

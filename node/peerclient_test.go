package main

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"ringkv/hashring"
	"ringkv/hashring/membership"
	"ringkv/hashring/placement"
)

// TestOnlyANodesOwnWordCountsForNoPlacement: where all say that they remember none, the cluster begins anew, and empty. So an answer of something else at
// that address, or of another node, must be an error.
func TestOnlyANodesOwnWordCountsForNoPlacement(t *testing.T) {
	doc, err := placement.First([]placement.Node{{ID: "a", Weight: 1, Disk: "1"}}, 1, "test")
	if err != nil {
		t.Fatal(err)
	}
	text, err := doc.Encode()
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		name   string
		status int
		body   string
		want   string // none, one or an error
	}{
		{"it remembers one", 200, string(text), "one"},
		{"it remembers none", 404, `{"success":false,"error":"not_found","status":404}`, "none"},
		{"another node", 503, `{"success":false,"error":"not_ready","status":503}`, "error"},
		{"another program", 404, "404 page not found\n", "error"},
		{"another program that speaks JSON", 404, `{"error":"no such route"}`, "error"},
		{"an empty answer", 404, "", "error"},
		{"no document", 200, `{}`, "error"},
		{"an endless answer", 200, strings.Repeat(" ", placement.MaxBytes+1), "error"},
		{"a redirect", 302, "", "error"},
	} {
		server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if got, want := r.URL.String(), "/placement?disk=1&node=a"; got != want {
				t.Errorf("%s: it asks for %s, want %s", c.name, got, want)
			}
			if c.status == http.StatusFound {
				w.Header().Set("Location", "/placement?disk=1&node=a")
			}
			w.WriteHeader(c.status)
			_, _ = w.Write([]byte(c.body)) // who asks may have hung up
		}))
		m := membership.Member{Member: hashring.Member{ID: "a"}, Disk: "1", Addr: server.Listener.Addr().String()}
		got := "none"
		switch d, err := newPeerClient().remembered(t.Context(), m); {
		case err != nil:
			got = "error"
		case d != nil:
			got = "one"
		}
		if got != c.want {
			t.Errorf("%s: it counts for %q, want %q", c.name, got, c.want)
		}
		server.Close()
	}
}

package membership

import (
	"context"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"ringkv/hashring"
)

// serve returns a node that answers its health check with h.
func serve(t *testing.T, id string, h http.HandlerFunc) Member {
	t.Helper()
	server := httptest.NewServer(h)
	t.Cleanup(server.Close)
	return Member{Member: hashring.Member{ID: id, Weight: 1}, Addr: server.Listener.Addr().String()}
}

// healthy answers as a node of the id does.
func healthy(id string) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path != "/health-check" || r.URL.Query().Get("node") != id {
			http.Error(w, "this is node "+id, http.StatusServiceUnavailable)
		}
	}
}

func TestHTTPProbe(t *testing.T) {
	good := serve(t, "n1", healthy("n1"))
	odd := serve(t, "a&b=c d", healthy("a&b=c d"))
	impostor := serve(t, "n1", healthy("n2"))
	elsewhere := serve(t, "n1", func(w http.ResponseWriter, r *http.Request) {
		http.Redirect(w, r, "http://"+good.Addr+"/health-check?node=n1", http.StatusFound)
	})
	endless := serve(t, "n1", func(w http.ResponseWriter, r *http.Request) {
		w.WriteHeader(http.StatusServiceUnavailable)
		for r.Context().Err() == nil {
			if _, err := w.Write([]byte(strings.Repeat("x", 64<<10))); err != nil {
				return
			}
		}
	})
	hanging := serve(t, "n1", func(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() })
	dead := serve(t, "n1", healthy("n1"))
	dead.Addr = "127.0.0.1:1"
	const enough = 10 * time.Second // on a machine with other work to do
	for _, c := range []struct {
		name   string
		member Member
		limit  time.Duration
		want   string // in the error; empty if it serves
	}{
		{"serves", good, enough, ""},
		{"serves under an odd id", odd, enough, ""},
		{"another node", impostor, enough, "this is node n2"},
		{"redirects", elsewhere, enough, "redirect"},
		{"endless body", endless, enough, "503"},
		{"hangs", hanging, 300 * time.Millisecond, "deadline"},
		{"is dead", dead, enough, "refused"},
	} {
		ctx, cancel := context.WithTimeout(t.Context(), c.limit)
		err := NewHTTPProbe()(ctx, c.member)
		cancel()
		switch {
		case c.want == "" && err != nil:
			t.Errorf("%s: probe = %v, want nil", c.name, err)
		case c.want != "" && (err == nil || !strings.Contains(err.Error(), c.want)):
			t.Errorf("%s: probe = %v, want an error with %q", c.name, err, c.want)
		}
	}
}

func TestServingKeepsOrderAndBounds(t *testing.T) {
	c := newFakeConsul()
	var all []Member
	for i := range 3 * probesAtOnce {
		id := string(rune('a'+i%26)) + string(rune('a'+i/26))
		all = append(all, member(id))
		c.alive[id] = i%3 != 0
	}
	running := make(chan struct{}, probesAtOnce)
	probe := func(ctx context.Context, m Member) error {
		select {
		case running <- struct{}{}:
		default:
			t.Errorf("more than %d probes at once", probesAtOnce)
		}
		defer func() { <-running }()
		return c.probe(ctx, m)
	}
	got := serving(t.Context(), all, probe, time.Second)
	i := 0
	for _, m := range all {
		if !c.alive[m.ID] {
			continue
		}
		if i >= len(got) || got[i] != m {
			t.Fatalf("serving()[%d] is not %s", i, m.ID)
		}
		i++
	}
	if i != len(got) {
		t.Errorf("%d members serve, want %d", len(got), i)
	}
}

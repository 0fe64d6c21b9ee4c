package placement

import (
	"context"
	"encoding/base64"
	"net/http"
	"net/http/httptest"
	"runtime"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/hashicorp/consul/api"
)

// sourceOf runs a Source against a Consul that knows no nodes, holds a placement with three copies of each key, and
// refuses to say who passes once refuse is set.
func sourceOf(t *testing.T, replicas int, refuse *atomic.Bool) *Source {
	doc, err := First([]Node{{ID: "n1", Weight: 1}}, 3, "test")
	if err != nil {
		t.Fatal(err)
	}
	text, err := doc.Encode()
	if err != nil {
		t.Fatal(err)
	}
	consul := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		health := strings.HasPrefix(r.URL.Path, "/v1/health/")
		w.Header().Set("X-Consul-Index", "7")
		switch {
		case health && refuse.Load():
			http.Error(w, "Permission denied", http.StatusForbidden)
		case r.URL.Query().Get("index") == "7" && !health: // an undisturbed wait
			<-r.Context().Done()
		case health:
			w.Write([]byte("[]"))
		default:
			w.Write([]byte(`[{"Key":"k","Value":"` + base64.StdEncoding.EncodeToString(text) + `","ModifyIndex":7}]`))
		}
	}))
	t.Cleanup(consul.Close)
	client, err := api.NewClient(&api.Config{Address: consul.URL})
	if err != nil {
		t.Fatal(err)
	}
	source, err := FromConsul(client, SourceOptions{Service: "test", Replicas: replicas, Log: quiet()})
	if err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- source.Run(ctx) }()
	t.Cleanup(func() {
		stop()
		if err := <-done; err != nil {
			t.Error(err)
		}
	})
	return source
}

// eventually fails the test if ok stays false.
func eventually(t *testing.T, what string, ok func() bool) {
	t.Helper()
	for until := time.Now().Add(10 * time.Second); !ok(); runtime.Gosched() {
		if time.Now().After(until) {
			t.Fatal("never: ", what)
		}
	}
}

func TestSourceSaysWhyItHasNoPlacement(t *testing.T) {
	source := sourceOf(t, 2, new(atomic.Bool))
	eventually(t, "a problem", func() bool { return source.Problem() != nil })
	if err := source.Problem().Error(); !strings.Contains(err, "-replicas is 2 here and 3 in the placement") {
		t.Errorf("Problem = %q, want both numbers named", err)
	}
}

func TestNotKnowingWhoPassesIsAnOutage(t *testing.T) {
	var refuse atomic.Bool
	source := sourceOf(t, 3, &refuse)
	eventually(t, "a view", func() bool { return source.View() != nil })
	if at := source.Outage(); !at.IsZero() {
		t.Errorf("Outage = %v though both questions are answered, want none", at)
	}
	refuse.Store(true)
	eventually(t, "an outage", func() bool { return !source.Outage().IsZero() })
}

func TestAListIsAskedWithTheJitterGiven(t *testing.T) {
	drawn := make(chan struct{}, 1)
	random := func() float64 {
		select {
		case drawn <- struct{}{}:
		default:
		}
		return 0.5
	}
	source, err := FromList([]string{"127.0.0.1:1"}, SourceOptions{Replicas: 1, Log: quiet(), Random: random})
	if err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithTimeout(t.Context(), 10*time.Second)
	defer stop()
	done := make(chan error, 1)
	go func() { done <- source.Run(ctx) }()
	select {
	case <-drawn:
	case <-ctx.Done():
		t.Error("the list was asked without it")
	}
	stop()
	if err := <-done; err != nil {
		t.Error(err)
	}
}

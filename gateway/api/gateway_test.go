package api

import (
	"context"
	"encoding/json"
	"slices"
	"strings"
	"testing"

	"github.com/prometheus/client_golang/prometheus"

	"ringkv/gateway/api/apitest"
)

func TestRoutesOfAGateway(t *testing.T) {
	waits := []string(nil)
	health := HealthPage{ID: "gw-1", State: Ready, Lines: []string{"gateway: gw-1  version: 1.0", "ring: 3 nodes"}}
	g := Gateway{
		Coordinator: apitest.NewFake(), Registry: prometheus.NewRegistry(), Log: quiet(),
		Ring: func(context.Context) (Ring, bool) {
			return Ring{Generation: 3, Replicas: 3, Slots: 1024, Nodes: []RingNode{{ID: "n1", Address: "10.0.0.1:5000", Weight: 1, Slots: 1024, Share: 1}}}, waits == nil
		},
		Owners: func(key string) (KeyOwners, bool) {
			return KeyOwners{Key: key, Slot: 5, Owners: []KeyOwner{{ID: "n1", Passing: true}}}, waits == nil
		},
		Health: func() HealthPage { return health },
		Status: func() any { return map[string]int{"nodes": 3} },
		Waits:  func() []string { return waits },
	}
	h := New(g)
	tests := []struct {
		line string
		code int
		body string // a part of it
	}{
		{"GET /ring", 200, `"id": "n1"`},
		{"GET /ring", 200, `"zone": ""`},
		{"GET /ring", 200, `"away": []`},
		{"GET /ring", 200, `"lost": []`},
		{"GET /ring", 200, `"move": null`},
		{"GET /ring/owners?key=a%2Fb", 200, `"key": "a/b"`},
		{"GET /ring/owners?x&key=a;b&key=c", 200, `"key": "a;b"`},
		{"GET /ring/owners?key=%zz", 400, `"bad_key"`},
		{"GET /ring/owners", 400, `"bad_key"`},
		{"GET /ring/owners", 400, `/ring/owners?key=`},
		{"GET /ring/owners?key=%00", 400, `"bad_key"`},
		{"GET /livez", 200, "ok\n"},
		{"GET /readyz", 200, "ok\n"},
		{"GET /health-check", 200, "status: ready\ngateway: gw-1  version: 1.0\nring: 3 nodes\n"},
		{"GET /health-check?node=gw-1", 200, "status: ready\n"},
		{"GET /health-check?node=gw-2", 503, "another node is asked for: this is gw-1\nstatus: failed\n"},
		{"GET /health-check?node=gw-1;gw-2", 503, "another node is asked for: this is gw-1\nstatus: failed\n"},
		{"GET /status", 200, `"nodes": 3`},
		{"GET /metrics", 200, `ringkv_http_requests_total{method="GET",outcome="not_ready",route="/health-check"} 2`},
		{"GET /destroy", 404, `"not_found"`},
		{"GET /wire", 404, `"not_found"`},
		{"GET /local/a", 404, `"not_found"`},
		{"POST /ring", 405, `"method_not_allowed"`},
		{"DELETE /health-check", 405, `"method_not_allowed"`},
	}
	for _, tt := range tests {
		if w := do(h, tt.line, nil); w.Code != tt.code || !strings.Contains(w.Body.String(), tt.body) {
			t.Errorf("%s = %d %s, want %d with %s", tt.line, w.Code, w.Body, tt.code, tt.body)
		}
	}
	waits = []string{"ring: none yet", "consul: not reached"}
	for line, body := range map[string]string{
		"GET /readyz":            "ring: none yet\nconsul: not reached\n",
		"GET /ring":              `"no_ring"`,
		"GET /ring/owners?key=a": `"no_ring"`,
	} {
		if w := do(h, line, nil); w.Code != 503 || !strings.Contains(w.Body.String(), body) {
			t.Errorf("%s without a ring = %d %s, want 503 with %s", line, w.Code, w.Body, body)
		}
	}
}

// The page stays below 1 KiB and begins with the reason, whatever the parts of it are.
func TestHealthPageIsBounded(t *testing.T) {
	long := strings.Repeat("é\n\"", 1000)
	p := HealthPage{ID: "n", State: Failed, Reason: "disk " + long, Lines: []string{long, long, long, long, "last"}}
	got := p.text()
	if len(got) >= 1024 || !strings.HasPrefix(got, "disk é") {
		t.Errorf("page of %d bytes: %q", len(got), got)
	}
	if lines := strings.Count(got, "\n"); lines != 2+len(p.Lines) {
		t.Errorf("%d lines, want one each for reason, state and %d others", lines, len(p.Lines))
	}
	if again := p.text(); again != got {
		t.Errorf("page changed from %q to %q", got, again)
	}
	p.Lines = slices.Repeat([]string{strings.Repeat("v", 1000)}, 10) // more than there is room for
	if got := p.text(); len(got) >= 1024 || !strings.HasSuffix(got, "v…\n") {
		t.Errorf("page of %d bytes: %q, want whole lines, as far as there is room", len(got), got)
	}
}

// An error is below 1 KiB, and valid JSON, whatever the key and the detail are.
func FuzzProblem(f *testing.F) {
	f.Add("a", "1 of 2 needed")
	f.Add(strings.Repeat(`"`, MaxKey), strings.Repeat("\x00", 2000))
	f.Add(strings.Repeat("é", 300), strings.Repeat("é\xff", 500))
	f.Fuzz(func(t *testing.T, key, detail string) {
		if _, bad := checkKey(key); bad != nil {
			return
		}
		for o := BadKey; o < outcomes; o++ {
			body := Problem{Outcome: o, Key: key, Detail: detail}.append([]byte("before"))[len("before"):]
			var got struct{ Key *string }
			if err := json.Unmarshal(body, &got); err != nil || len(body) >= 1024 {
				t.Fatalf("%d bytes %q: %v", len(body), body, err)
			}
			if got.Key != nil && *got.Key != key {
				t.Fatalf("key %q became %q", key, *got.Key)
			}
			if got.Key == nil && len(key) < 64 {
				t.Fatalf("key %q was left out of %q", key, body)
			}
		}
	})
}

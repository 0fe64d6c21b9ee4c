package api

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/prometheus/client_golang/prometheus"

	"ringkv/gateway/api/apitest"
	"ringkv/gateway/coordinator"
)

func newTestRouter(t testing.TB, c Coordinator, limits Limits) *Router {
	t.Helper()
	r := NewRouter(prometheus.NewRegistry(), quiet())
	MountKV(r, c, limits)
	return r
}

// do serves one request: a method and a path, then headers as "Name: value", with body unless it is nil.
func do(h http.Handler, line string, body *string, headers ...string) *httptest.ResponseRecorder {
	method, path, _ := strings.Cut(line, " ")
	var in io.Reader
	if body != nil {
		in = strings.NewReader(*body)
	}
	r := httptest.NewRequest(method, path, in)
	if body != nil {
		r.Header.Set("Content-Length", "set") // as a server leaves it there, its value in the field
	}
	for _, line := range headers {
		name, value, _ := strings.Cut(line, ": ")
		r.Header.Add(name, value)
	}
	w := httptest.NewRecorder()
	h.ServeHTTP(w, r)
	return w
}

func text(s string) *string { return &s }

func TestSeedCommands(t *testing.T) {
	h := newTestRouter(t, apitest.NewFake(), Limits{})
	const form = "Content-Type: application/x-www-form-urlencoded"
	steps := []struct {
		line string
		body *string
		want string
	}{
		{"PUT /kv/mykey1", text("myvalue1"), `{"success":true,"key":"mykey1","version":"0000000000000001-0000000000000007"}`},
		{"GET /kv/mykey1", nil, `{"success":true,"key":"mykey1","value":"myvalue1","version":"0000000000000001-0000000000000007"}`},
		{"DELETE /kv/mykey1", nil, `{"success":true,"key":"mykey1","deleted":true}`},
		{"DELETE /kv/mykey1", nil, `{"success":true,"key":"mykey1","deleted":false}`},
		{"PUT /kv/bin", text("\xff\x00"), `{"success":true,"key":"bin","version":"0000000000000004-0000000000000007"}`},
		{"GET /kv/bin", nil, `{"success":true,"key":"bin","value":"/wA=","encoding":"base64","version":"0000000000000004-0000000000000007"}`},
		{"PUT /kv/empty", text(""), `{"success":true,"key":"empty","version":"0000000000000005-0000000000000007"}`},
		{"GET /kv/empty", nil, `{"success":true,"key":"empty","value":"","version":"0000000000000005-0000000000000007"}`},
		{"PUT /kv/q%22", text("<a>\"\\\n\x01é"), `{"success":true,"key":"q\"","version":"0000000000000006-0000000000000007"}`},
		{"GET /kv/q%22", nil, `{"success":true,"key":"q\"","value":"<a>\"\\\n\u0001é","version":"0000000000000006-0000000000000007"}`},
	}
	for _, s := range steps {
		w := do(h, s.line, s.body, form)
		if w.Code != http.StatusOK || w.Body.String() != s.want {
			t.Errorf("%s = %d %s, want 200 %s", s.line, w.Code, w.Body, s.want)
		}
		if got := w.Header().Get("Content-Type"); got != "application/json" {
			t.Errorf("%s: Content-Type %q, want application/json", s.line, got)
		}
	}
}

func TestErrorsOfTheCoordinator(t *testing.T) {
	var fail error
	fake := apitest.NewFake()
	fake.Before = func(context.Context, string, string) error { return fail }
	h := newTestRouter(t, fake, Limits{})
	refused := func(sentinel error, none bool) error {
		return &coordinator.Error{Err: sentinel, None: none, Detail: "1 of 2 needed: node-b refused"}
	}
	tests := []struct {
		err                       error
		code                      int
		name, onWrite, retryAfter string
	}{
		{refused(coordinator.ErrNoRing, true), 503, "no_ring", "none", "1"},
		{refused(coordinator.ErrQuorumUnavailable, true), 503, "quorum_unavailable", "none", ""},
		{refused(coordinator.ErrQuorumUnavailable, false), 503, "quorum_unavailable", "unknown", ""},
		{refused(coordinator.ErrOverloaded, true), 503, "overloaded", "none", "1"},
		{refused(coordinator.ErrOutcomeUnknown, false), 504, "outcome_unknown", "unknown", ""},
	}
	for _, tt := range tests {
		fail = tt.err
		for _, line := range []string{"PUT /kv/a", "DELETE /kv/a", "GET /kv/a"} {
			outcome := tt.onWrite
			var body *string
			switch line[:3] {
			case "GET":
				outcome = "none"
			case "PUT":
				body = text("v")
			}
			w := do(h, line, body)
			p := problemIn(t, w)
			if w.Code != tt.code || p.Error != tt.name || p.Outcome != outcome || p.Key != "a" || !p.Retryable {
				t.Errorf("%s with %v = %d %+v, want %d %s outcome %s", line, tt.err, w.Code, p, tt.code, tt.name, outcome)
			}
			if got := w.Header().Get("Retry-After"); got != tt.retryAfter {
				t.Errorf("%s with %v: Retry-After %q, want %q", line, tt.err, got, tt.retryAfter)
			}
		}
	}
}

// What the coordinator doesn't explain is in doubt for a write, and harmless for a read.
func TestUnexplainedErrors(t *testing.T) {
	fake := apitest.NewFake()
	fake.Before = func(context.Context, string, string) error { return errors.New("unexplained") }
	h := newTestRouter(t, fake, Limits{})
	if w := do(h, "PUT /kv/a", text("v")); w.Code != 504 || problemIn(t, w).Outcome != "unknown" {
		t.Errorf("PUT = %d %s, want 504 with outcome unknown", w.Code, w.Body)
	}
	if w := do(h, "GET /kv/a", nil); w.Code != 503 || problemIn(t, w).Outcome != "none" {
		t.Errorf("GET = %d %s, want 503 with outcome none", w.Code, w.Body)
	}
}

type problem struct {
	Success   *bool
	Key       string
	Error     string
	Title     string
	Status    int
	Detail    string
	Outcome   string
	Retryable bool
}

// problemIn returns the error in an answer, which has to be one as the contract has them.
func problemIn(t testing.TB, w *httptest.ResponseRecorder) problem {
	t.Helper()
	var p problem
	body := w.Body.Bytes()
	if err := json.Unmarshal(body, &p); err != nil {
		t.Fatalf("error body %q: %v", body, err)
	}
	if p.Success == nil || *p.Success || p.Status != w.Code || p.Title == "" || p.Detail == "" || len(body) >= 1024 {
		t.Errorf("error body %q with status %d is not as it should be", body, w.Code)
	}
	if got := w.Header().Get("Content-Type"); got != "application/problem+json" {
		t.Errorf("error with Content-Type %q", got)
	}
	return p
}

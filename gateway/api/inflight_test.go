package api

import (
	"context"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/gin-gonic/gin"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil"

	"ringkv/gateway/api/apitest"
	"ringkv/gateway/coordinator"
)

// While one value takes all the room, others are refused at once, their bodies unread; then there is room again.
func TestOverloadedByBytes(t *testing.T) {
	const room = 8 << 10
	fake := apitest.NewFake()
	entered, gate := make(chan struct{}), make(chan struct{})
	fake.Before = func(_ context.Context, op, key string) error {
		if key == "large" && op == "put" {
			close(entered)
			<-gate
		}
		return nil
	}
	h := newTestRouter(t, fake, Limits{MaxValue: room, MaxInflight: room})
	first := make(chan *httptest.ResponseRecorder)
	go func() { first <- do(h, "PUT /kv/large", text(strings.Repeat("v", room))) }()
	<-entered
	for _, line := range []string{"PUT /kv/a", "GET /kv/a", "HEAD /kv/a"} {
		r := httptest.NewRequest(line[:strings.Index(line, " ")], "/kv/a", unread{t})
		r.ContentLength = 1
		r.Header.Set("Content-Length", "1")
		w := httptest.NewRecorder()
		h.ServeHTTP(w, r)
		if p := problemIn(t, w); w.Code != 503 || p.Error != "overloaded" || p.Outcome != "none" || w.Header().Get("Retry-After") != "1" {
			t.Errorf("%s when full = %d %+v %v", line, w.Code, p, w.Header())
		}
	}
	if w := do(h, "PUT /kv/empty", text("")); w.Code != 200 {
		t.Errorf("PUT of an empty value when full = %d, want 200", w.Code)
	}
	close(gate)
	if w := <-first; w.Code != 200 {
		t.Fatalf("the first = %d %s", w.Code, w.Body)
	}
	if w := do(h, "PUT /kv/a", text("v")); w.Code != 200 {
		t.Errorf("PUT when there is room again = %d, want 200", w.Code)
	}
}

// unread is a body that must not be read.
type unread struct{ t *testing.T }

func (u unread) Read([]byte) (int, error) {
	u.t.Error("the body was read")
	return 0, http.ErrBodyReadAfterClose
}

// Whatever becomes of requests, the room that they took is given back.
func TestRoomIsGivenBack(t *testing.T) {
	var mode string
	fake := apitest.NewFake()
	fake.Before = func(context.Context, string, string) error {
		switch mode {
		case "refuse":
			return &coordinator.Error{Err: coordinator.ErrQuorumUnavailable}
		case "panic":
			panic("a bug")
		}
		return nil
	}
	reg := prometheus.NewRegistry()
	r := NewRouter(reg, quiet())
	MountKV(r, fake, Limits{MaxValue: 8 << 10, MaxInflight: 12 << 10})
	for _, mode = range []string{"", "refuse", "panic"} {
		for range 3 {
			do(r, "PUT /kv/a", text(strings.Repeat("v", 8<<10)))
			do(r, "PUT /kv/a", text(strings.Repeat("v", 9<<10)))
			do(r, "GET /kv/a", nil) // has no room for what it finds
			do(r, "HEAD /kv/a", nil)
			do(r, "GET /kv/absent", nil)
			cut := httptest.NewRequest("PUT", "/kv/a", strings.NewReader("short"))
			cut.ContentLength = 100
			r.ServeHTTP(httptest.NewRecorder(), cut)
		}
	}
	for name, want := range map[string]float64{
		"ringkv_http_inflight_bytes": 0, "ringkv_http_inflight_requests": 0, "ringkv_http_inflight_limit_bytes": 12 << 10,
	} {
		if got := gauge(t, reg, name); got != want {
			t.Errorf("%s = %v, want %v", name, got, want)
		}
	}
}

func gauge(t *testing.T, reg *prometheus.Registry, name string) float64 {
	t.Helper()
	families, err := reg.Gather()
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range families {
		if f.GetName() == name {
			return f.GetMetric()[0].GetGauge().GetValue()
		}
	}
	t.Fatalf("no metric %s", name)
	return 0
}

func TestPanicIsAnError(t *testing.T) {
	fake := apitest.NewFake()
	fake.Before = func(context.Context, string, string) error { panic("a bug") }
	h := newTestRouter(t, fake, Limits{})
	w := do(h, "PUT /kv/a", text("v"))
	if p := problemIn(t, w); w.Code != 500 || p.Error != "internal" || p.Outcome != "unknown" {
		t.Errorf("PUT into a bug = %d %+v, want 500 internal with outcome unknown", w.Code, p)
	}
}

// Whoever panics with half of its answer out has the connection cut, and is counted all the same.
func TestPanicBehindTheHeadIsCounted(t *testing.T) {
	reg := prometheus.NewRegistry()
	r := NewRouter(reg, quiet())
	r.Get("/half", func(c *gin.Context) Outcome {
		Text(c, http.StatusOK, "half")
		panic("a bug")
	})
	func() {
		defer func() {
			if p := recover(); p != http.ErrAbortHandler {
				t.Errorf("the handler panics with %v, want that the connection is cut", p)
			}
		}()
		do(r, "GET /half", nil)
	}()
	if got := gauge(t, reg, "ringkv_http_inflight_requests"); got != 0 {
		t.Errorf("%v requests are under way behind it, want none", got)
	}
	if got := testutil.ToFloat64(r.metrics.requests.WithLabelValues("/half", "GET", Internal.String())); got != 1 {
		t.Errorf("it was counted %v times as an error, want once", got)
	}
}

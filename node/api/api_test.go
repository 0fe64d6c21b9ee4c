package api

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"go.uber.org/goleak"

	edge "ringkv/gateway/api"
	"ringkv/gateway/api/apitest"
	"ringkv/node/record"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func testNode(c edge.Coordinator) Node {
	return Node{
		Coordinator: c,
		Limits:      edge.Limits{MaxValue: apitest.MaxValue, BodyGrace: 500 * time.Millisecond},
		Registry:    prometheus.NewRegistry(),
		Log:         slog.New(slog.NewTextHandler(io.Discard, nil)),
		Wire:        http.NotFoundHandler(),
		Health: func() Health {
			return Health{State: edge.Ready, ID: "n1", Version: "1.0", Zone: "a", Store: "json", Members: 3, Slots: 1024, AllSlots: 1024}
		},
		Status:     func() any { return map[string]int{"keys": 7} },
		Local:      func(string) (Local, bool, error) { return Local{}, false, nil },
		Placement:  func() ([]byte, bool) { return nil, false },
		Destroy:    func() { panic("destroyed") },
		MayDestroy: Off,
	}
}

func TestBadInput(t *testing.T) {
	apitest.BadInput(t, func(t *testing.T, c *apitest.Fake) string {
		return serve(t, New(testNode(c)))
	})
}

// serve serves h as the program does until the test ends, and returns its address.
func serve(t *testing.T, h http.Handler) string {
	t.Helper()
	srv := edge.NewServer(h, slog.New(slog.NewTextHandler(io.Discard, nil)))
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	done := make(chan error, 1)
	go func() { done <- srv.Serve(edge.NewListener(l, 1000)) }()
	t.Cleanup(func() {
		if err := srv.Close(); err != nil {
			t.Errorf("close: %v", err)
		}
		if err := <-done; err != http.ErrServerClosed {
			t.Errorf("Serve = %v, want %v", err, http.ErrServerClosed)
		}
	})
	return l.Addr().String()
}

func do(h http.Handler, method, path string) *httptest.ResponseRecorder {
	w := httptest.NewRecorder()
	h.ServeHTTP(w, httptest.NewRequest(method, path, nil))
	return w
}

func TestRoutes(t *testing.T) {
	n := testNode(apitest.NewFake())
	n.Placement = func() ([]byte, bool) { return []byte(`{"generation":3}`), true }
	h := New(n)
	tests := []struct {
		method, path string
		code         int
		body         string // a part of it
	}{
		{"GET", "/health-check", 200, "status: ready\nnode: n1  version: 1.0  zone: a  store: json\nring: 3 nodes  here: 1024 of 1024 slots\n"},
		{"GET", "/health-check?node=n1", 200, "status: ready\n"},
		{"HEAD", "/health-check", 200, ""},
		{"GET", "/health-check?node=n2", 503, "another node is asked for: this is n1\nstatus: failed\nnode: n1"},
		{"GET", "/status", 200, `"keys": 7`},
		{"GET", "/metrics", 200, `ringkv_http_requests_total{method="GET",outcome="ok",route="/status"} 1`},
		{"GET", "/placement", 200, `{"generation":3}`},
		{"GET", "/local/a", 404, `"not_found"`},
		{"GET", "/local/../a", 400, `"bad_key"`},
		{"GET", "/kv/a", 404, `"not_found"`},
		{"GET", "/ring", 404, `"not_found"`},
		{"GET", "/leave", 405, `"method_not_allowed"`},
		{"POST", "/health-check", 405, `"method_not_allowed"`},
		{"PUT", "/destroy", 405, `"method_not_allowed"`},
		{"HEAD", "/destroy", 405, `"method_not_allowed"`},
		{"POST", "/wire", 405, `"method_not_allowed"`},
		{"PUT", "/local/a", 405, `"method_not_allowed"`},
	}
	for _, tt := range tests {
		w := do(h, tt.method, tt.path)
		if w.Code != tt.code || !strings.Contains(w.Body.String(), tt.body) {
			t.Errorf("%s %s = %d %s, want %d with %s", tt.method, tt.path, w.Code, w.Body, tt.code, tt.body)
		}
		if allow := w.Header().Get("Allow"); (w.Code == 405) != (allow != "") {
			t.Errorf("%s %s = %d with Allow %q", tt.method, tt.path, w.Code, allow)
		}
	}
}

func TestHealthNotReady(t *testing.T) {
	for _, state := range []edge.State{edge.Starting, edge.Draining, edge.Failed} {
		n := testNode(apitest.NewFake())
		n.Health = func() Health { return Health{State: state, Reason: "the disk\nfails", ID: "n1"} }
		w := do(New(n), "GET", "/health-check")
		want := "the disk fails\nstatus: " + string(state) + "\nnode: n1"
		if w.Code != 503 || !strings.HasPrefix(w.Body.String(), want) {
			t.Errorf("health when %s = %d %q, want 503 and %q first", state, w.Code, w.Body, want)
		}
	}
}

// A node passes its check before it serves, since the placement is written by nodes that pass; whoever waits for it to serve asks without its id.
func TestHealthOfANodeThatWaits(t *testing.T) {
	n := testNode(apitest.NewFake())
	n.Health = func() Health { return Health{State: edge.Ready, Waits: "no placement yet", ID: "n1"} }
	h := New(n)
	for path, want := range map[string]struct {
		code int
		text string
	}{
		"/health-check":         {503, "no placement yet\nstatus: starting\nnode: n1"},
		"/health-check?node=n1": {200, "status: ready\nnode: n1"},
		"/health-check?node=n2": {503, "another node is asked for: this is n1\nstatus: failed\nnode: n1"},
	} {
		if w := do(h, "GET", path); w.Code != want.code || !strings.HasPrefix(w.Body.String(), want.text) {
			t.Errorf("GET %s = %d %q, want %d and %q first", path, w.Code, w.Body, want.code, want.text)
		}
	}
}

func TestPlacementUnknown(t *testing.T) {
	if w := do(New(testNode(apitest.NewFake())), "GET", "/placement"); w.Code != 404 {
		t.Errorf("GET /placement = %d %s, want 404", w.Code, w.Body)
	}
}

// A peer that asks one node in particular gets no other node's word.
func TestPlacementOfOneNode(t *testing.T) {
	n := testNode(apitest.NewFake())
	n.Placement = func() ([]byte, bool) { return []byte(`{"generation":3}`), true }
	n.Is = func(id, disk string) bool { return id == "n1" && disk == "d1" }
	h := New(n)
	for query, code := range map[string]int{"": 200, "?node=n1&disk=d1": 200, "?node=n1&disk=d2": 503, "?node=n2&disk=d1": 503} {
		if w := do(h, "GET", "/placement"+query); w.Code != code {
			t.Errorf("GET /placement%s = %d %s, want %d", query, w.Code, w.Body, code)
		}
	}
}

func TestLocal(t *testing.T) {
	version := record.Version{HLC: 1, Writer: 2}
	held := map[string]record.Record{
		"text": {Version: version, Type: "text/plain", Value: []byte(`a"b`)},
		"bin":  {Version: version, Value: []byte{0xff}},
		"gone": {Version: version, Deleted: true},
	}
	n := testNode(apitest.NewFake())
	n.Local = func(key string) (Local, bool, error) {
		if key == "damaged" {
			return Local{}, false, errors.New("checksum")
		}
		r, ok := held[key]
		return Local{Record: r, Slot: 12, State: "settled"}, ok, nil
	}
	h := New(n)
	const tail = `"version":"0000000000000001-0000000000000002","deleted":%v,"slot":12,"state":"settled"}`
	for key, want := range map[string]string{
		"text": `{"success":true,"key":"text","value":"a\"b","type":"text/plain",` + fmt.Sprintf(tail, false),
		"bin":  `{"success":true,"key":"bin","value":"/w==","encoding":"base64",` + fmt.Sprintf(tail, false),
		"gone": `{"success":true,"key":"gone",` + fmt.Sprintf(tail, true),
	} {
		w := do(h, "GET", "/local/"+key)
		if w.Code != 200 || w.Body.String() != want {
			t.Errorf("GET /local/%s = %d %s, want 200 %s", key, w.Code, w.Body, want)
		}
		if etag := w.Header().Get("ETag"); etag != `"`+version.String()+`"` {
			t.Errorf("GET /local/%s has the ETag %s, want the version", key, etag)
		}
	}
	if w := do(h, "GET", "/local/damaged"); w.Code != 500 || !json.Valid(w.Body.Bytes()) || strings.Contains(w.Body.String(), "checksum") {
		t.Errorf("GET of a damaged record = %d %s, want 500 without the cause", w.Code, w.Body)
	}
}

// What the wire's handler takes over is its own from then on.
func TestWireTakesTheConnectionOver(t *testing.T) {
	n := testNode(apitest.NewFake())
	n.Wire = http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		c, _, err := http.NewResponseController(w).Hijack()
		if err != nil {
			t.Errorf("Hijack = %v", err)
			return
		}
		defer c.Close()
		wrapped, ok := c.(interface{ Bare() net.Conn }) // the wire looks for this
		if !ok {
			t.Errorf("a %T is handed over, which doesn't tell what lies under it", c)
		} else if _, ok := wrapped.Bare().(*net.TCPConn); !ok {
			t.Errorf("under it lies a %T", wrapped.Bare())
		}
		if _, err := io.WriteString(c, "HTTP/1.1 101 Switching Protocols\r\n\r\nframes"); err != nil {
			t.Errorf("write: %v", err)
		}
	})
	c, err := (&net.Dialer{}).DialContext(context.Background(), "tcp", serve(t, New(n)))
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	if _, err := io.WriteString(c, "GET /wire HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: ringkv\r\n\r\n"); err != nil {
		t.Fatal(err)
	}
	got, err := io.ReadAll(c)
	if want := "HTTP/1.1 101 Switching Protocols\r\n\r\nframes"; string(got) != want {
		t.Errorf("read %q (%v), want %q", got, err, want)
	}
}

package apitest

import (
	"bufio"
	"encoding/json"
	"io"
	"net"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"
)

// MaxValue is the cap that the routes under test have to be set up with, in bytes. Their Limits.BodyGrace has to be well
// below Patience.
const (
	MaxValue = 64 << 10
	Patience = 5 * time.Second
)

// A row is a request as bytes, and what has to come of it.
type row struct {
	name    string
	request string
	fin     bool   // the client sends no more, and says so
	status  []int  // any of these
	err     string // the `error` in the body, "" where there is none
	allow   string // the methods in Allow
	key     string // the answer is about this key
	value   string // a PUT that succeeds stores this
	closes  bool   // the connection ends with the answer
	goOn    bool   // the server says "100 Continue" first
}

// BadInput sends what no client should to routes of /kv/ over a Fake, and checks after each request that the answer is
// the contract's, that nothing was stored, that the server lives, and that no goroutine is left behind. start serves the
// routes under test until the test ends, and returns their address.
func BadInput(t *testing.T, start func(t *testing.T, c *Fake) (addr string)) {
	fake := NewFake()
	addr := start(t, fake)
	get(t, addr, "/kv/warm-up")
	for _, r := range slices.Concat(pathRows(), methodRows(), headerRows(), bodyRows()) {
		t.Run(r.name, func(t *testing.T) {
			defer noGoroutineLeft(t, goleak.IgnoreCurrent())
			before := fake.Writes()
			r.run(t, addr)
			r.checkStored(t, fake, fake.Writes()-before)
			get(t, addr, "/kv/still-there")
		})
	}
}

// noGoroutineLeft waits until all goroutines but those that were there are gone. net/http lingers for half a second where
// it closes on a client that is still sending.
func noGoroutineLeft(t *testing.T, there goleak.Option) {
	t.Helper()
	deadline := time.Now().Add(Patience)
	err := goleak.Find(there)
	for err != nil && time.Now().Before(deadline) {
		err = goleak.Find(there)
	}
	if err != nil {
		t.Errorf("goroutines left: %v", err)
	}
}

func (r *row) run(t *testing.T, addr string) {
	c := dial(t, addr)
	defer hangUp(t, c)
	go sendAll(c, r.request, r.fin)
	in := bufio.NewReader(c)
	resp, body, goOn := readAnswer(t, in)
	if goOn != r.goOn {
		t.Errorf("100 Continue: %v, want %v", goOn, r.goOn)
	}
	if !slices.Contains(r.status, resp.StatusCode) {
		t.Fatalf("answer %d %s, want %v", resp.StatusCode, body, r.status)
	}
	if r.err != "" {
		r.checkError(t, resp, body)
	}
	if r.allow != "" && resp.Header.Get("Allow") != r.allow {
		t.Errorf("Allow %q, want %q", resp.Header.Get("Allow"), r.allow)
	}
	if r.key != "" {
		if got := keyIn(t, body); got != r.key {
			t.Errorf("key %q, want %q", got, r.key)
		}
	}
	if r.closes {
		if n, err := in.Discard(1); n > 0 || err == nil {
			t.Errorf("the connection goes on, want it closed")
		}
	}
}

// checkStored makes sure that a good PUT is stored once and whole, and that nothing else is stored at all.
func (r *row) checkStored(t *testing.T, fake *Fake, writes int) {
	t.Helper()
	want := 0
	if slices.Contains(r.status, http.StatusOK) && strings.HasPrefix(r.request, "PUT ") {
		want = 1
		if stored, _ := fake.Record(r.key); string(stored.Value) != r.value {
			t.Errorf("stored %d bytes under %q, want %d", len(stored.Value), r.key, len(r.value))
		}
	}
	if writes != want {
		t.Errorf("%d writes, want %d", writes, want)
	}
}

func (r *row) checkError(t *testing.T, resp *http.Response, body []byte) {
	t.Helper()
	var e struct {
		Success         *bool
		Error, Title    string
		Detail, Outcome string
		Status          int
	}
	if err := json.Unmarshal(body, &e); err != nil {
		t.Fatalf("error body %q: %v", body, err)
	}
	if e.Error != r.err || e.Status != resp.StatusCode || e.Success == nil || *e.Success || e.Title == "" || e.Detail == "" ||
		e.Outcome != "none" || len(body) >= 1024 {
		t.Errorf("error body %s, want error %q, status %d, outcome none", body, r.err, resp.StatusCode)
	}
	if got := resp.Header.Get("Content-Type"); got != "application/problem+json" {
		t.Errorf("Content-Type %q, want application/problem+json", got)
	}
}

func keyIn(t *testing.T, body []byte) string {
	t.Helper()
	var e struct{ Key string }
	if err := json.Unmarshal(body, &e); err != nil {
		t.Fatalf("body %q: %v", body, err)
	}
	return e.Key
}

func dial(t *testing.T, addr string) *net.TCPConn {
	t.Helper()
	c, err := net.Dial("tcp", addr)
	if err != nil {
		t.Fatalf("the server is gone: %v", err)
	}
	if err := c.SetDeadline(time.Now().Add(2 * Patience)); err != nil {
		t.Fatal(err)
	}
	return c.(*net.TCPConn)
}

func hangUp(t *testing.T, c net.Conn) {
	if err := c.Close(); err != nil {
		t.Errorf("close: %v", err)
	}
}

// sendAll sends a request as far as the server takes it: it may well have answered and closed before the end.
func sendAll(c *net.TCPConn, request string, fin bool) {
	if _, err := io.WriteString(c, request); err == nil && fin {
		_ = c.CloseWrite()
	}
}

// readAnswer reads the answer that counts; goOn reports whether "100 Continue" came before it.
func readAnswer(t *testing.T, in *bufio.Reader) (resp *http.Response, body []byte, goOn bool) {
	t.Helper()
	for {
		resp, err := http.ReadResponse(in, nil)
		if err != nil {
			t.Fatalf("no answer: %v", err)
		}
		if resp.StatusCode == http.StatusContinue {
			goOn = true
			continue
		}
		body, err := io.ReadAll(resp.Body)
		if err != nil {
			t.Fatalf("answer %d cut short: %v", resp.StatusCode, err)
		}
		return resp, body, goOn
	}
}

// get makes sure that the server still serves.
func get(t *testing.T, addr, path string) {
	t.Helper()
	c := dial(t, addr)
	defer hangUp(t, c)
	sendAll(c, "GET "+path+" HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n", false)
	if resp, body, _ := readAnswer(t, bufio.NewReader(c)); resp.StatusCode != http.StatusNotFound || !strings.Contains(string(body), `"not_found"`) {
		t.Fatalf("GET %s = %d %s, want 404 not_found", path, resp.StatusCode, body)
	}
}

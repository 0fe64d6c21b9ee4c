package api

import (
	"bufio"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"testing"
	"time"

	"ringkv/gateway/api/apitest"
)

func TestWhoMayDestroy(t *testing.T) {
	tests := []struct {
		access Access
		remote string
		code   int
	}{
		{Loopback, "127.0.0.1:1234", 202},
		{Loopback, "127.8.8.8:1234", 202},
		{Loopback, "[::1]:1234", 202},
		{Loopback, "[::ffff:127.0.0.1]:1234", 202},
		{Loopback, "10.0.0.7:1234", 403},
		{Loopback, "[2001:db8::1]:1234", 403},
		{Loopback, "nonsense", 403},
		{Any, "10.0.0.7:1234", 202},
		{Off, "127.0.0.1:1234", 404},
		{"", "127.0.0.1:1234", 404},
	}
	for _, tt := range tests {
		for _, method := range []string{"GET", "POST"} {
			destroyed := false
			n := testNode(apitest.NewFake())
			n.MayDestroy, n.Destroy = tt.access, func() { destroyed = true }
			r := httptest.NewRequest(method, "/destroy", nil)
			r.RemoteAddr = tt.remote
			r.Header.Set("X-Forwarded-For", "127.0.0.1")
			r.Header.Set("X-Real-Ip", "127.0.0.1")
			r.Header.Set("Forwarded", "for=127.0.0.1")
			w := httptest.NewRecorder()
			New(n).ServeHTTP(w, r)
			if w.Code != tt.code || destroyed != (tt.code == 202) {
				t.Errorf("%s from %s with %q = %d, destroyed %v; want %d", method, tt.remote, tt.access, w.Code, destroyed, tt.code)
			}
		}
	}
}

// Whoever destroys a node gets the whole answer before the node is gone.
func TestDestroyAnswersFirst(t *testing.T) {
	answered, killed := make(chan struct{}), make(chan struct{})
	n := testNode(apitest.NewFake())
	n.MayDestroy = Loopback
	n.Destroy = func() { <-answered; close(killed) }
	c, err := net.Dial("tcp", serve(t, New(n)))
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	if err := c.SetDeadline(time.Now().Add(10 * time.Second)); err != nil {
		t.Fatal(err)
	}
	if _, err := io.WriteString(c, "POST /destroy HTTP/1.1\r\nHost: x\r\n\r\n"); err != nil {
		t.Fatal(err)
	}
	resp, err := http.ReadResponse(bufio.NewReader(c), nil)
	if err != nil {
		t.Fatal(err)
	}
	body, err := io.ReadAll(resp.Body)
	close(answered)
	<-killed
	if err != nil || resp.StatusCode != http.StatusAccepted || string(body) != `{"success":true}` {
		t.Errorf("POST /destroy = %d %q (%v), want 202 and success", resp.StatusCode, body, err)
	}
}

// Nothing but the very path destroys.
func TestNoOtherPathDestroys(t *testing.T) {
	n := testNode(apitest.NewFake())
	n.MayDestroy = Any // testNode's Destroy panics
	h := New(n)
	for _, path := range []string{"/kv/../../destroy", "//destroy", "/kv/%2e%2e/destroy", "/DESTROY", "/destroy/", "/%64estroy", "/kv/destroy", "/local/destroy",
		"/./destroy", "/destroy%20", "/destroy;x"} {
		r := httptest.NewRequest("GET", "/x", nil)
		u, err := url.ParseRequestURI(path) // as a server reads it; other ways clean the path
		if err != nil {
			t.Fatal(err)
		}
		r.URL = u
		w := httptest.NewRecorder()
		h.ServeHTTP(w, r)
		if w.Code != 404 && w.Code != 400 {
			t.Errorf("GET %s = %d, want 404 or 400", path, w.Code)
		}
	}
}

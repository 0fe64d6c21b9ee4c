package api

import (
	"bufio"
	"bytes"
	"encoding/base64"
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strconv"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"ringkv/gateway/api/apitest"
	"ringkv/node/record"
)

// What a client escapes is what the coordinator is asked for, or refused: one decoding, no cleaning.
func FuzzKey(f *testing.F) {
	for _, key := range []string{"a", "a/b", "a//b", "/", "a b", "a+b", "a%2Fb", "%", "é", "a?b#c;d=e", "..", "a/../b", "\x00", "\u0085", "\xff", strings.Repeat("k", 1025)} {
		f.Add(key)
	}
	fake := apitest.NewFake()
	h := newTestRouter(f, fake, Limits{})
	f.Fuzz(func(t *testing.T, key string) {
		_, bad := checkKey(key)
		for _, path := range []string{url.PathEscape(key), strings.ReplaceAll(url.PathEscape(key), "%2F", "/")} {
			r, err := http.ReadRequest(bufio.NewReader(strings.NewReader("GET /kv/" + path + " HTTP/1.1\r\nHost: x\r\n\r\n")))
			if err != nil {
				t.Fatalf("request for %q: %v", key, err)
			}
			got, problem := PathKey(r, kvPrefix)
			if (problem == nil) != (bad == nil) || problem == nil && got != key {
				t.Fatalf("PathKey of %q = %q, %v, want the key again, or %v", path, got, problem, bad)
			}
			w := httptest.NewRecorder()
			h.ServeHTTP(w, r)
			want := http.StatusNotFound
			if bad != nil {
				want = bad.Outcome.Status()
			}
			if w.Code != want {
				t.Fatalf("GET %q = %d, want %d", path, w.Code, want)
			}
		}
	})
}

// A value comes back as it was stored, as text or as base64, whatever its bytes.
func FuzzValue(f *testing.F) {
	for _, v := range []string{"", "myvalue1", "<&>\"\\/\b\f\n\r\t\x00\x1f\x7f", "é\u2028", "\xff\x00", "\xed\xa0\x80"} {
		f.Add([]byte(v))
	}
	f.Fuzz(func(t *testing.T, value []byte) {
		body := append(AppendValue([]byte(`{"key":"k"`), value), '}')
		var got struct{ Value, Encoding string }
		if err := json.Unmarshal(body, &got); err != nil {
			t.Fatalf("value %q became %q: %v", value, body, err)
		}
		if utf8.Valid(value) != (got.Encoding == "") {
			t.Fatalf("value %q came with encoding %q", value, got.Encoding)
		}
		back := []byte(got.Value)
		if got.Encoding == "base64" {
			var err error
			if back, err = base64.StdEncoding.DecodeString(got.Value); err != nil {
				t.Fatal(err)
			}
		}
		if !bytes.Equal(back, value) {
			t.Fatalf("value %q came back as %q", value, back)
		}
	})
}

// Whatever bytes arrive, the server answers with HTTP or closes, says what is wrong as the contract has it, and goes on.
func FuzzServer(f *testing.F) {
	for _, request := range []string{
		getA,
		"PUT /kv/a HTTP/1.1\r\nHost: x\r\nContent-Length: 1\r\n\r\nv",
		"PUT /kv/a HTTP/1.1\r\nHost: x\r\nContent-Length: 9\r\n\r\nv",
		"PUT /kv/a HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n1\r\nv\r\n0\r\n\r\n",
		"DELETE /kv/%ff HTTP/1.0\r\n\r\n",
		"GET /ring/owners?key=a HTTP/1.1\r\nHost: x\r\nIf-None-Match: W/\"\r\n\r\n",
		"\x00\x00",
	} {
		f.Add([]byte(request))
	}
	fake := apitest.NewFake()
	conns := make(chan *pipe)
	srv := NewServer(testGateway(fake, Limits{BodyGrace: time.Second}), quiet())
	done := make(chan error, 1)
	go func() { done <- srv.Serve(NewListener(&pipeListener{conns: conns, closed: make(chan struct{})}, 100)) }()
	f.Cleanup(func() {
		if err := srv.Close(); err != nil {
			f.Errorf("close: %v", err)
		}
		if err := <-done; err != http.ErrServerClosed {
			f.Errorf("Serve = %v, want %v", err, http.ErrServerClosed)
		}
	})
	f.Fuzz(func(t *testing.T, request []byte) {
		p := newPipe(request)
		conns <- p
		<-p.closed
		out := bufio.NewReader(&p.out)
		for p.out.Len() > 0 || out.Buffered() > 0 {
			resp, err := http.ReadResponse(out, nil)
			if bytes.Contains(request, []byte("HEAD")) {
				return // an answer without a body, so that what comes behind can't be told from one
			}
			if err != nil {
				t.Fatalf("answer to %q: %v", request, err)
			}
			if resp.StatusCode == http.StatusContinue {
				continue
			}
			body, err := io.ReadAll(resp.Body)
			if err != nil {
				t.Fatalf("answer to %q: %v", request, err)
			}
			problem := resp.Header.Get("Content-Type") == "application/problem+json" && json.Valid(body) && len(body) < 1024
			if resp.StatusCode >= 500 && resp.StatusCode != 501 && resp.StatusCode != 503 && resp.StatusCode != 505 || resp.StatusCode >= 400 && !problem {
				t.Fatalf("answer to %q = %d %q", request, resp.StatusCode, body)
			}
		}
	})
}

// A large value is written in pieces, and looks like a small one all the same.
func TestLargeValues(t *testing.T) {
	for _, unit := range []string{"v", "\x01", "é", "\xff\x00", `"\`, "\n"} {
		value := strings.Repeat(unit, 3*piece+1)
		h, _ := withValue(t, value, "")
		w := do(h, "GET /kv/a", nil)
		version, err := record.ParseVersion(versionA)
		if err != nil {
			t.Fatal(err)
		}
		want := appendGet(nil, "a", &record.Record{Version: version, Value: []byte(value)})
		if !bytes.Equal(w.Body.Bytes(), want) {
			t.Errorf("%d times %q: body of %d bytes differs from the %d wanted", 3*piece+1, unit, w.Body.Len(), len(want))
		}
		if got := w.Header().Get("Content-Length"); got != strconv.Itoa(len(want)) {
			t.Errorf("%d times %q: Content-Length %s, want %d", 3*piece+1, unit, got, len(want))
		}
	}
}

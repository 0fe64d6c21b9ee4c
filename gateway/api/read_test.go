package api

import (
	"context"
	"net/http"
	"testing"

	"ringkv/gateway/api/apitest"
	"ringkv/gateway/coordinator"
	"ringkv/node/record"
)

const versionA = "0000000000000001-0000000000000007" // of the first write to a Fake

func withValue(t *testing.T, value, contentType string) (http.Handler, *apitest.Fake) {
	t.Helper()
	fake := apitest.NewFake()
	if _, err := fake.Put(context.Background(), "a", []byte(value), contentType); err != nil {
		t.Fatal(err)
	}
	return newTestRouter(t, fake, Limits{}), fake
}

func TestEnvelopeOrBytes(t *testing.T) {
	h, _ := withValue(t, "<b>v</b>", "text/html")
	const browser = "text/html,application/xhtml+xml,*/*;q=0.8"
	tests := []struct {
		line, accept string
		raw          bool
	}{
		{"GET /kv/a", "", false},
		{"GET /kv/a", "*/*", false},
		{"GET /kv/a", "application/json", false},
		{"GET /kv/a", "Application/JSON; charset=utf-8", false},
		{"GET /kv/a", "application/*", false},
		{"GET /kv/a", "application/json, text/plain, */*", false},
		{"GET /kv/a", "nonsense", false},
		{"GET /kv/a", "text/plain;q=0, */*", false},
		{"GET /kv/a", "application/json;q=0.1, text/plain", false},
		{"GET /kv/a", "application/json;q=0, application/problem+json", false},
		{"GET /kv/a", "application/json;charset=utf-8; Q=0.000", true},
		{"GET /kv/a", "application/json;q=0, */*", true},
		{"GET /kv/a", "application/json;q=0, text/plain;q=0.1", true},
		{"GET /kv/a", "text/plain", true},
		{"GET /kv/a", "application/octet-stream, */*", true},
		{"GET /kv/a", browser, true},
		{"GET /kv/a?raw", "", true},
		{"GET /kv/a?raw", "application/json", true},
		{"GET /kv/a?x=1&raw=1&y", "", true},
		{"GET /kv/a?rawer&x=raw", "", false},
		{"HEAD /kv/a", "application/json", true},
	}
	for _, tt := range tests {
		w := do(h, tt.line, nil, "Accept: "+tt.accept)
		head := w.Header()
		body, contentType := `{"success":true,"key":"a","value":"<b>v</b>","version":"`+versionA+`"}`, "application/json"
		if tt.raw {
			body, contentType = "<b>v</b>", "text/html"
			if head.Get("X-Content-Type-Options") != "nosniff" || head.Get("Content-Security-Policy") != "sandbox" || head.Get("Content-Length") != "8" {
				t.Errorf("%s with Accept %q: headers %v", tt.line, tt.accept, head)
			}
		}
		if tt.line[:4] == "HEAD" {
			body = ""
		}
		if w.Code != 200 || w.Body.String() != body || head.Get("Content-Type") != contentType {
			t.Errorf("%s with Accept %q = %d %s %s, want 200 %s %s", tt.line, tt.accept, w.Code, head.Get("Content-Type"), w.Body, contentType, body)
		}
		if head.Get("ETag") != `"`+versionA+`"` || head.Get("Vary") != "Accept" || head.Get("Cache-Control") != "no-cache" {
			t.Errorf("%s: headers %v", tt.line, head)
		}
	}
}

func TestStoredType(t *testing.T) {
	h := newTestRouter(t, apitest.NewFake(), Limits{})
	for given, want := range map[string]string{
		"":                                  "application/octet-stream",
		"application/x-www-form-urlencoded": "application/octet-stream",
		"Application/X-WWW-Form-Urlencoded ; charset=utf-8": "application/octet-stream",
		"text/plain; charset=utf-8":                         "text/plain; charset=utf-8",
	} {
		if w := do(h, "PUT /kv/t", text("a=1&b=2"), "Content-Type: "+given); w.Code != 200 {
			t.Fatalf("PUT with type %q = %d %s", given, w.Code, w.Body)
		}
		w := do(h, "GET /kv/t?raw", nil)
		if got := w.Header().Get("Content-Type"); got != want || w.Body.String() != "a=1&b=2" {
			t.Errorf("put with type %q, got %q %s, want %q", given, got, w.Body, want)
		}
	}
}

func TestConditionalReads(t *testing.T) {
	h, _ := withValue(t, "v", "")
	const tag = `"` + versionA + `"`
	tests := []struct {
		header, value string
		code          int
	}{
		{"If-None-Match", tag, 304},
		{"If-None-Match", "W/" + tag, 304},
		{"If-None-Match", `"x", W/"y",` + tag, 304},
		{"If-None-Match", `"a,b" , ` + tag + `,"z"`, 304},
		{"If-None-Match", "*", 304},
		{"If-None-Match", " * ", 304},
		{"If-None-Match", `"x"`, 200},
		{"If-None-Match", "", 200},
		{"If-None-Match", `"*"`, 200},
		{"If-None-Match", versionA, 200},
		{"If-None-Match", `"` + versionA, 200},
		{"If-None-Match", `junk, ` + tag, 200},
		{"If-None-Match", `w/` + tag, 200},
		{"If-Match", tag, 200},
		{"If-Match", "*", 200},
		{"If-Match", `"x",` + tag, 200},
		{"If-Match", "W/" + tag, 412},
		{"If-Match", `"x"`, 412},
	}
	for _, tt := range tests {
		for _, method := range []string{"GET", "HEAD"} {
			w := do(h, method+" /kv/a", nil, tt.header+": "+tt.value)
			if w.Code != tt.code || w.Header().Get("ETag") != tag {
				t.Errorf("%s with %s: %s = %d, ETag %s; want %d", method, tt.header, tt.value, w.Code, w.Header().Get("ETag"), tt.code)
			}
			if w.Code == 304 && w.Body.Len() > 0 {
				t.Errorf("304 with a body: %s", w.Body)
			}
			if w.Code == 412 && problemIn(t, w).Error != "precondition_failed" {
				t.Errorf("412 with body %s", w.Body)
			}
		}
	}
	// A condition says nothing about a value that isn't there.
	if w := do(h, "GET /kv/absent", nil, "If-None-Match: *"); w.Code != 404 {
		t.Errorf("GET of an absent key with If-None-Match = %d, want 404", w.Code)
	}
}

func TestConditionInTwoHeaders(t *testing.T) {
	h, _ := withValue(t, "v", "")
	if w := do(h, "GET /kv/a", nil, `If-None-Match: "x"`, `If-None-Match: "`+versionA+`"`); w.Code != 304 {
		t.Errorf("GET with the tag in the second of two headers = %d, want 304", w.Code)
	}
}

// reads remembers how it was asked.
type reads struct {
	*apitest.Fake
	asked coordinator.ReadOptions
}

func (r *reads) Get(ctx context.Context, key string, opt coordinator.ReadOptions) (record.Record, error) {
	r.asked = opt
	return r.Fake.Get(ctx, key, opt)
}

func TestStaleReads(t *testing.T) {
	c := &reads{Fake: apitest.NewFake()}
	h := newTestRouter(t, c, Limits{})
	for path, want := range map[string]string{"/kv/a": "", "/kv/a?stale": "true", "/kv/a?raw&stale=": "true", "/kv/stale?x": ""} {
		w := do(h, "GET "+path, nil)
		if got := w.Header().Get("Ringkv-Stale"); got != want || c.asked.Stale != (want != "") {
			t.Errorf("GET %s: Ringkv-Stale %q, asked %+v, want %q", path, got, c.asked, want)
		}
	}
}

func TestHeadOfAbsentKey(t *testing.T) {
	h := newTestRouter(t, apitest.NewFake(), Limits{})
	if w := do(h, "HEAD /kv/a", nil); w.Code != 404 {
		t.Errorf("HEAD of an absent key = %d, want 404", w.Code)
	}
}

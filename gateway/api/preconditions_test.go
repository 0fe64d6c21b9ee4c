package api

import (
	"context"
	"strings"
	"testing"

	"ringkv/gateway/api/apitest"
	"ringkv/gateway/coordinator"
	"ringkv/node/record"
)

// The conditions of RFC 9110, 13.1.1 and 13.1.2, over a key whose value has the version versionA, and over one that isn't there.
func TestConditionalWrites(t *testing.T) {
	const tag = `"` + versionA + `"`
	for _, tt := range []struct {
		headers         []string
		present, absent bool // the write happens
	}{
		{[]string{"If-Match: " + tag}, true, false},
		{[]string{`If-Match: "x", ` + tag}, true, false},
		{[]string{`If-Match: "x"`, "If-Match: " + tag}, true, false},
		{[]string{"If-Match: *"}, true, false},
		{[]string{"If-Match:  * "}, true, false},
		{[]string{`If-Match: "x"`}, false, false},
		{[]string{"If-Match: W/" + tag}, false, false},
		{[]string{`If-Match: "*"`}, false, false},
		{[]string{"If-None-Match: *"}, false, true},
		{[]string{"If-None-Match: " + tag}, false, true},
		{[]string{"If-None-Match: W/" + tag}, false, true},
		{[]string{`If-None-Match: "x"`}, true, true},
		{[]string{"If-Match: " + tag, `If-None-Match: "x"`}, true, false},
		{[]string{"If-Match: *", "If-None-Match: *"}, false, false},
		{[]string{"If-Match: " + tag, "If-Unmodified-Since: Sun, 06 Nov 1994 08:49:37 GMT"}, true, false},
	} {
		for key, happens := range map[string]bool{"a": tt.present, "absent": tt.absent} {
			for _, method := range []string{"PUT", "DELETE"} {
				h, fake := withValue(t, "v", "")
				var body *string
				if method == "PUT" {
					body = text("new")
				}
				w := do(h, method+" /kv/"+key, body, tt.headers...)
				if want := map[bool]int{true: 200, false: 412}[happens]; w.Code != want {
					t.Errorf("%s %s with %q = %d %s, want %d", method, key, tt.headers, w.Code, w.Body, want)
					continue
				}
				if writes := fake.Writes() - 1; (writes > 0) != happens {
					t.Errorf("%s %s with %q wrote %d times", method, key, tt.headers, writes)
				}
				etag := w.Header().Get("ETag")
				switch {
				case !happens && (etag == tag) != (key == "a"):
					t.Errorf("%s %s with %q: 412 with ETag %q, want that of what is there", method, key, tt.headers, etag)
				case !happens && (problemIn(t, w).Error != "precondition_failed" || problemIn(t, w).Outcome != "none" || problemIn(t, w).Retryable):
					t.Errorf("%s %s with %q: %s", method, key, tt.headers, w.Body)
				case happens && method == "PUT" && (etag == "" || etag == tag || !strings.Contains(w.Body.String(), strings.Trim(etag, `"`))):
					t.Errorf("%s %s with %q: ETag %q, %s, want the new version in both", method, key, tt.headers, etag, w.Body)
				}
			}
		}
	}
}

func TestUpdateByReadAndCompareAndSet(t *testing.T) {
	h, _ := withValue(t, "v1", "")
	seen := do(h, "GET /kv/a", nil).Header().Get("ETag")
	first := do(h, "PUT /kv/a", text("v2"), "If-Match: "+seen)
	if first.Code != 200 {
		t.Fatalf("PUT = %d %s", first.Code, first.Body)
	}
	late := do(h, "PUT /kv/a", text("v3"), "If-Match: "+seen)
	if late.Code != 412 || late.Header().Get("ETag") != first.Header().Get("ETag") {
		t.Errorf("PUT by who is late = %d with ETag %s, want 412 with %s", late.Code, late.Header().Get("ETag"), first.Header().Get("ETag"))
	}
	if w := do(h, "GET /kv/a?raw", nil); w.Body.String() != "v2" {
		t.Errorf("GET = %s, want v2", w.Body)
	}
}

// A condition whose write may have happened says so, and never 412.
func TestConditionalWriteInDoubt(t *testing.T) {
	fake := apitest.NewFake()
	fake.Before = func(context.Context, string, string) error {
		return &coordinator.Error{Err: coordinator.ErrOutcomeUnknown, Detail: "1 of 2"}
	}
	h := newTestRouter(t, fake, Limits{})
	if w := do(h, "PUT /kv/a", text("v"), "If-None-Match: *"); w.Code != 504 || problemIn(t, w).Outcome != "unknown" {
		t.Errorf("PUT = %d %s, want 504 with outcome unknown", w.Code, w.Body)
	}
}

// again is a coordinator that knows a value by an earlier version than the one under which it is stored.
type again struct{ *apitest.Fake }

func (a *again) Get(ctx context.Context, key string, opt coordinator.ReadOptions) (record.Record, error) {
	rec, err := a.Fake.Get(ctx, key, opt)
	rec.Origin, rec.Version.HLC = rec.Version, rec.Version.HLC+100
	return rec, err
}

func TestVersionIsTheOneThatClientsKnow(t *testing.T) {
	for _, value := range []string{"v", strings.Repeat("v", piece+1)} {
		_, fake := withValue(t, value, "")
		h := newTestRouter(t, &again{fake}, Limits{})
		for _, line := range []string{"GET /kv/a", "HEAD /kv/a", "GET /kv/a?raw"} {
			w := do(h, line, nil)
			if w.Header().Get("ETag") != `"`+versionA+`"` || line == "GET /kv/a" && !strings.Contains(w.Body.String(), `"version":"`+versionA+`"`) {
				t.Errorf("%s: ETag %s, want %s everywhere", line, w.Header().Get("ETag"), versionA)
			}
		}
	}
}

package api

import (
	"bytes"
	"context"
	"io"
	"net/http"
	"net/http/httptest"
	"testing"

	"ringkv/gateway/coordinator"
	"ringkv/node/record"
)

// fixed answers every request at once, so that a benchmark measures the edge alone.
type fixed struct{ r record.Record }

func (f *fixed) Get(context.Context, string, coordinator.ReadOptions) (record.Record, error) {
	return f.r, nil
}

func (f *fixed) Put(context.Context, string, []byte, string) (record.Version, error) {
	return f.r.Version, nil
}

func (f *fixed) PutIf(context.Context, string, []byte, string, coordinator.Condition) (record.Version, error) {
	return f.r.Version, nil
}

func (f *fixed) DeleteIf(context.Context, string, coordinator.Condition) (record.Version, bool, error) {
	return f.r.Version, true, nil
}

func (f *fixed) Delete(context.Context, string) (record.Version, bool, error) {
	return f.r.Version, true, nil
}

// nowhere is a ResponseWriter that forgets all but the status.
type nowhere struct {
	header http.Header
	status int
}

func (w *nowhere) Header() http.Header         { return w.header }
func (w *nowhere) WriteHeader(status int)      { w.status = status }
func (w *nowhere) Write(b []byte) (int, error) { return len(b), nil }

func benchmark(b *testing.B, method string, body []byte, headers ...string) {
	b.Helper()
	c := &fixed{record.Record{Key: "mykey1", Version: record.Version{HLC: 1 << 60, Writer: 7}, Value: bytes.Repeat([]byte("v"), 100)}}
	h := newTestRouter(b, c, Limits{})
	r := httptest.NewRequest(method, "/kv/mykey1", nil)
	r.ContentLength = int64(len(body))
	for i := 0; i < len(headers); i += 2 {
		r.Header.Set(headers[i], headers[i+1])
	}
	reader := bytes.NewReader(body)
	w := &nowhere{header: http.Header{}}
	b.ReportAllocs()
	for b.Loop() {
		clear(w.header)
		reader.Reset(body)
		r.Body = io.NopCloser(reader)
		h.ServeHTTP(w, r)
	}
	if w.status != http.StatusOK {
		b.Fatalf("status %d", w.status)
	}
}

func BenchmarkGet(b *testing.B)    { benchmark(b, "GET", nil) }
func BenchmarkGetRaw(b *testing.B) { benchmark(b, "GET", nil, "Accept", "text/plain") }
func BenchmarkPut(b *testing.B) {
	benchmark(b, "PUT", bytes.Repeat([]byte("v"), 100), "Content-Length", "100", "Content-Type", "text/plain")
}

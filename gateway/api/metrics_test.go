package api

import (
	"strings"
	"testing"

	"github.com/prometheus/client_golang/prometheus"

	"ringkv/gateway/api/apitest"
)

func TestRequestsAreCounted(t *testing.T) {
	r := NewRouter(prometheus.NewRegistry(), quiet())
	MountKV(r, apitest.NewFake(), Limits{MaxValue: 4})
	r.Get("/metrics", Metrics(r.metrics.registry))
	do(r, "PUT /kv/a", text("v"))
	do(r, "PUT /kv/b", text("v"))
	do(r, "PUT /kv/c", text("large"))
	do(r, "GET /kv/a", nil)
	do(r, "GET /kv/a", nil, "If-None-Match: *")
	do(r, "GET /kv/absent", nil)
	do(r, "DELETE /kv/..", nil)
	do(r, "POST /kv/a", nil)
	do(r, "GET /nowhere", nil)
	got := do(r, "GET /metrics", nil).Body.String()
	for _, want := range []string{
		`ringkv_http_requests_total{method="PUT",outcome="ok",route="/kv"} 2`,
		`ringkv_http_requests_total{method="PUT",outcome="value_too_large",route="/kv"} 1`,
		`ringkv_http_requests_total{method="GET",outcome="ok",route="/kv"} 1`,
		`ringkv_http_requests_total{method="GET",outcome="not_modified",route="/kv"} 1`,
		`ringkv_http_requests_total{method="GET",outcome="not_found",route="/kv"} 1`,
		`ringkv_http_requests_total{method="DELETE",outcome="bad_key",route="/kv"} 1`,
		`ringkv_http_requests_total{method="any",outcome="method_not_allowed",route="none"} 1`,
		`ringkv_http_requests_total{method="any",outcome="not_found",route="none"} 1`,
		`ringkv_http_request_duration_seconds_count{method="GET",route="/kv"} 3`,
		`ringkv_http_inflight_requests 1`, // the scrape itself
		`ringkv_http_inflight_bytes 0`,
	} {
		if !strings.Contains(got, want+"\n") {
			t.Errorf("no line %s in\n%s", want, got)
		}
	}
	if strings.Contains(got, "absent") {
		t.Error("a key became a label")
	}
}

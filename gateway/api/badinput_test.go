package api

import (
	"context"
	"io"
	"log/slog"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"go.uber.org/goleak"

	"ringkv/gateway/api/apitest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func TestBadInput(t *testing.T) {
	apitest.BadInput(t, func(t *testing.T, c *apitest.Fake) string {
		limits := Limits{MaxValue: apitest.MaxValue, BodyGrace: 500 * time.Millisecond}
		return serve(t, testGateway(c, limits), 1000, nil)
	})
}

func quiet() *slog.Logger { return slog.New(slog.NewTextHandler(io.Discard, nil)) }

func testGateway(c Coordinator, limits Limits) *Router {
	return New(Gateway{
		Coordinator: c, Limits: limits, Registry: prometheus.NewRegistry(), Log: quiet(),
		Ring:   func(context.Context) (Ring, bool) { return Ring{}, false },
		Owners: func(string) (KeyOwners, bool) { return KeyOwners{}, false },
		Health: func() HealthPage { return HealthPage{ID: "gw-1", State: Ready, Lines: []string{"gateway: gw-1"}} },
		Status: func() any { return map[string]int{"keys": 1} },
		Waits:  func() []string { return nil },
	})
}

package api

import (
	"context"
	"log/slog"
	"net/http"
	"strings"

	"github.com/gin-gonic/gin"
	"github.com/prometheus/client_golang/prometheus"
)

// A Gateway is all that the routes of a gateway show. The functions are safe for concurrent use, and return at once: Ring
// within a second, as it asks the nodes how far they have come.
type Gateway struct {
	Coordinator Coordinator
	Limits      Limits
	Registry    *prometheus.Registry // of /metrics; the metrics of the HTTP edge are added to it
	Log         *slog.Logger

	Ring   func(context.Context) (Ring, bool) // false while there is none
	Owners func(key string) (KeyOwners, bool) // false while there is no ring
	Health func() HealthPage
	Status func() any      // what /status shows, as JSON
	Waits  func() []string // a line for each part that isn't ready; none once requests can be served
}

// New returns the routes of a gateway.
func New(g Gateway) *Router {
	r := NewRouter(g.Registry, g.Log)
	MountKV(r, g.Coordinator, g.Limits)
	r.Get("/ring", g.ring)
	r.Get("/ring/owners", g.owners)
	r.Get("/livez", live)
	r.Get("/readyz", g.ready)
	r.Get("/health-check", Health(g.Health))
	r.Get("/status", func(c *gin.Context) Outcome { return JSON(c, g.Status()) })
	r.Get("/metrics", Metrics(g.Registry))
	return r
}

func live(c *gin.Context) Outcome {
	Text(c, http.StatusOK, "ok\n")
	return OK
}

func (g *Gateway) ready(c *gin.Context) Outcome {
	if waits := g.Waits(); len(waits) > 0 {
		Text(c, http.StatusServiceUnavailable, strings.Join(waits, "\n")+"\n")
		return NotReady
	}
	return live(c)
}

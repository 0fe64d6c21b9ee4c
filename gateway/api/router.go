package api

import (
	"log/slog"
	"net/http"
	"runtime/debug"
	"strings"
	"time"

	"github.com/gin-gonic/gin"
	"github.com/prometheus/client_golang/prometheus"
)

// A Handler answers a request, and says how it ended.
type Handler func(c *gin.Context) Outcome

// A Router finds the handler for a path exactly as it was sent: nothing is decoded, cleaned or redirected. Paths and
// methods that it doesn't know get errors like all others. Add the routes first, then serve.
type Router struct {
	engine  *gin.Engine
	metrics *metrics
	log     *slog.Logger
}

// NewRouter returns a router without routes, whose metrics are in reg.
func NewRouter(reg *prometheus.Registry, log *slog.Logger) *Router {
	gin.SetMode(gin.ReleaseMode) // gin prints to stdout otherwise
	e := gin.New()
	e.RedirectTrailingSlash = false
	e.RedirectFixedPath = false
	e.HandleMethodNotAllowed = true
	e.UseEscapedPath = true
	e.UnescapePathValues = false
	e.ForwardedByClientIP = false
	r := &Router{engine: e, metrics: newMetrics(reg), log: log}
	e.NoRoute(r.wrap("none", "any", notFound))
	e.NoMethod(r.wrap("none", "any", methodNotAllowed))
	return r
}

// Handle adds a route.
func (r *Router) Handle(method, route string, h Handler) {
	r.engine.Handle(method, route, r.wrap(label(route), method, h))
}

// Get adds a route for GET and HEAD.
func (r *Router) Get(route string, h Handler) {
	r.Handle(http.MethodGet, route, h)
	r.Handle(http.MethodHead, route, h)
}

// Mount adds a route that h serves by itself. It is not measured: its requests may last as long as a connection.
func (r *Router) Mount(method, route string, h http.Handler) {
	r.engine.Handle(method, route, gin.WrapH(h))
}

// ServeHTTP serves one request.
func (r *Router) ServeHTTP(w http.ResponseWriter, req *http.Request) { r.engine.ServeHTTP(w, req) }

// label is the route without what stands for a part of the path: /kv/*key is /kv.
func label(route string) string {
	before, _, found := strings.Cut(route, "/*")
	if !found {
		return route
	}
	return before
}

func (r *Router) wrap(route, method string, h Handler) gin.HandlerFunc {
	m := r.metrics.of(route, method)
	inflight := r.metrics.inflight
	return func(c *gin.Context) {
		start := time.Now()
		outcome := Internal
		inflight.Inc()
		defer func() { // comes last, even where recovered panics again
			inflight.Dec()
			m.done(outcome, time.Since(start))
			part(c)
		}()
		defer func() {
			if p := recover(); p != nil {
				r.recovered(c, p)
			}
		}()
		outcome = h(c)
	}
}

// recovered answers for a handler that panicked. Where the answer has begun already, the connection is cut, so that
// nobody takes half of it for the whole.
func (r *Router) recovered(c *gin.Context, p any) {
	r.log.Error("handler panicked", "panic", p, "route", c.FullPath(), "stack", string(debug.Stack()))
	if c.Writer.Written() {
		panic(http.ErrAbortHandler)
	}
	Fail(c, Problem{Outcome: Internal, Detail: "a bug in this program; its log has the place", Unknown: true})
}

func notFound(c *gin.Context) Outcome {
	return Fail(c, Problem{Outcome: NotFound, Detail: "there is nothing at this path; keys are under /kv/"})
}

func methodNotAllowed(c *gin.Context) Outcome {
	p := Problem{Outcome: MethodNotAllowed, Detail: "this path takes other methods: see Allow"}
	if strings.HasPrefix(c.Request.URL.EscapedPath(), kvPrefix) {
		p.Key, _ = PathKey(c.Request, kvPrefix) // empty where it isn't valid
	}
	return Fail(c, p)
}

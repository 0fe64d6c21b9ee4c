package api

import (
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promhttp"

	"github.com/gin-gonic/gin"
)

// metrics are the golden signals of the HTTP edge: how much, how long, how it ended, and how full it is.
type metrics struct {
	registry *prometheus.Registry
	requests *prometheus.CounterVec
	seconds  *prometheus.HistogramVec
	inflight prometheus.Gauge
}

func newMetrics(reg *prometheus.Registry) *metrics {
	m := &metrics{
		registry: reg,
		requests: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "ringkv_http_requests_total", Help: "Requests answered, by how they ended.",
		}, []string{"route", "method", "outcome"}),
		seconds: prometheus.NewHistogramVec(prometheus.HistogramOpts{
			Name: "ringkv_http_request_duration_seconds", Help: "Time from the headers of a request to the end of its answer.",
			Buckets: []float64{.00025, .0005, .001, .0025, .005, .01, .025, .05, .1, .25, .5, 1, 2.5, 5},
		}, []string{"route", "method"}),
		inflight: prometheus.NewGauge(prometheus.GaugeOpts{
			Name: "ringkv_http_inflight_requests", Help: "Requests under way.",
		}),
	}
	reg.MustRegister(m.requests, m.seconds, m.inflight)
	return m
}

// watchInflight shows the bytes that values take, and how many they may.
func (m *metrics) watchInflight(f *inflight) {
	m.registry.MustRegister(
		prometheus.NewGaugeFunc(prometheus.GaugeOpts{
			Name: "ringkv_http_inflight_bytes", Help: "Bytes of the values of requests under way.",
		}, func() float64 { return float64(f.used.Load()) }),
		prometheus.NewGaugeFunc(prometheus.GaugeOpts{
			Name: "ringkv_http_inflight_limit_bytes", Help: "Bytes above which requests are refused as overloaded.",
		}, func() float64 { return float64(f.limit) }))
}

// routeMetrics are the metrics of one route and method. Their children are looked up once, when first needed: a label
// lookup costs more than all the rest of counting.
type routeMetrics struct {
	all           *metrics
	route, method string
	seconds       prometheus.Observer
	requests      [outcomes]atomic.Pointer[prometheus.Counter]
}

func (m *metrics) of(route, method string) *routeMetrics {
	return &routeMetrics{all: m, route: route, method: method, seconds: m.seconds.WithLabelValues(route, method)}
}

func (r *routeMetrics) done(o Outcome, took time.Duration) {
	counter := r.requests[o].Load()
	if counter == nil {
		c := r.all.requests.WithLabelValues(r.route, r.method, o.String())
		counter = &c
		r.requests[o].Store(counter)
	}
	(*counter).Inc()
	r.seconds.Observe(took.Seconds())
}

// How many may scrape at once: collecting costs more than any other request.
const maxScrapes = 4

// Metrics serves what reg holds, in Prometheus' format.
func Metrics(reg *prometheus.Registry) Handler {
	h := promhttp.HandlerFor(reg, promhttp.HandlerOpts{ErrorHandling: promhttp.ContinueOnError})
	turns := make(chan struct{}, maxScrapes)
	return func(c *gin.Context) Outcome {
		select {
		case turns <- struct{}{}:
			defer func() { <-turns }()
			h.ServeHTTP(c.Writer, c.Request)
			return OK
		default:
			return Fail(c, Problem{Outcome: Overloaded, Detail: "enough scrapes are under way already"})
		}
	}
}

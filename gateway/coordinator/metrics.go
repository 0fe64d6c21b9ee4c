package coordinator

import (
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

// Metrics count what the coordinator does. A nil *Metrics counts nothing.
type Metrics struct {
	read, write     prometheus.Observer
	hedges, repairs prometheus.Counter
	ballots         prometheus.Counter
}

// NewMetrics registers the coordinator's metrics.
func NewMetrics(reg prometheus.Registerer) *Metrics {
	quorum := prometheus.NewHistogramVec(prometheus.HistogramOpts{
		Name:    "ringkv_coordinator_quorum_seconds",
		Help:    "Time until enough owners had answered, by operation.",
		Buckets: prometheus.ExponentialBuckets(0.0001, 2, 15),
	}, []string{"op"})
	hedges := prometheus.NewCounter(prometheus.CounterOpts{
		Name: "ringkv_coordinator_hedges_total",
		Help: "Requests for which further owners were asked because the first ones were slow.",
	})
	repairs := prometheus.NewCounter(prometheus.CounterOpts{
		Name: "ringkv_coordinator_repairs_total",
		Help: "Reads that wrote the newest value back to owners that lacked it.",
	})
	ballots := prometheus.NewCounter(prometheus.CounterOpts{
		Name: "ringkv_coordinator_ballots_total",
		Help: "Ballots asked for: one for each conditional write, more where they meet, and for reads that found no quorum otherwise.",
	})
	reg.MustRegister(quorum, hedges, repairs, ballots)
	return &Metrics{quorum.WithLabelValues("read"), quorum.WithLabelValues("write"), hedges, repairs, ballots}
}

func (m *Metrics) hedged() {
	if m != nil {
		m.hedges.Inc()
	}
}

func (m *Metrics) repaired() {
	if m != nil {
		m.repairs.Inc()
	}
}

func (m *Metrics) prepared() {
	if m != nil {
		m.ballots.Inc()
	}
}

func (m *Metrics) readTook(since time.Time) {
	if m != nil {
		m.read.Observe(time.Since(since).Seconds())
	}
}

func (m *Metrics) wrote(since time.Time) {
	if m != nil {
		m.write.Observe(time.Since(since).Seconds())
	}
}

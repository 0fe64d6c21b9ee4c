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

	fast, careful, anew prometheus.Counter // writes
}

// NewMetrics registers the coordinator's metrics.
func NewMetrics(reg prometheus.Registerer) *Metrics {
	quorum := prometheus.NewHistogramVec(prometheus.HistogramOpts{
		Name:    "ringkv_coordinator_quorum_seconds",
		Help:    "Time until enough owners had answered a read, or stored a write; with the ballot of a conditional write, without the question that a delete asks first.",
		Buckets: prometheus.ExponentialBuckets(0.0001, 2, 15),
	}, []string{"op"})
	counter := func(name, help string) prometheus.Counter {
		c := prometheus.NewCounter(prometheus.CounterOpts{Name: name, Help: help})
		reg.MustRegister(c)
		return c
	}
	reg.MustRegister(quorum)
	return &Metrics{
		read:    quorum.WithLabelValues("read"),
		write:   quorum.WithLabelValues("write"),
		hedges:  counter("ringkv_coordinator_hedges_total", "Requests for which further owners were asked because the first ones were slow."),
		repairs: counter("ringkv_coordinator_repairs_total", "Reads that wrote the newest value back to owners that lacked it."),
		ballots: counter("ringkv_coordinator_ballots_total", "Ballots asked for: one for each conditional write, more where they meet, and for reads that found no quorum otherwise."),

		fast:    counter("ringkv_coordinator_fast_writes_total", "Puts that were sent at once, without asking first which versions are held."),
		careful: counter("ringkv_coordinator_careful_writes_total", "Puts that asked first, since an owner doesn't pass, or has lately left a request unanswered or refused one."),
		anew:    counter("ringkv_coordinator_second_attempts_total", "Puts and deletes that met something newer, came to nothing, and were tried again above that."),
	}
}

func (m *Metrics) wroteFast() {
	if m != nil {
		m.fast.Inc()
	}
}

func (m *Metrics) wroteCarefully() {
	if m != nil {
		m.careful.Inc()
	}
}

func (m *Metrics) wroteAnew() {
	if m != nil {
		m.anew.Inc()
	}
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

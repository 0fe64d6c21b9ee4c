package replica

import "github.com/prometheus/client_golang/prometheus"

// Metrics count what the committer does. A nil *Metrics counts nothing.
type Metrics struct {
	records, commits, failures, skewed prometheus.Counter
	upkeep                             upkeepMetrics
}

// NewMetrics registers the replica's metrics.
func NewMetrics(reg prometheus.Registerer) *Metrics {
	counter := func(name, help string) prometheus.Counter {
		c := prometheus.NewCounter(prometheus.CounterOpts{Name: name, Help: help})
		reg.MustRegister(c)
		return c
	}
	return &Metrics{
		records:  counter("ringkv_replica_records_total", "Records made durable."),
		commits:  counter("ringkv_replica_commits_total", "Batches made durable, each with one sync. Records by commits is how well writes share a sync."),
		failures: counter("ringkv_replica_commit_failures_total", "Batches that the disk refused."),
		skewed:   counter("ringkv_replica_too_far_ahead_total", "Writes refused because their version was too far ahead of this node's clock."),
		upkeep:   newUpkeepMetrics(reg),
	}
}

func (m *Metrics) committed(records int, err error) {
	switch {
	case m == nil || records == 0 && err == nil:
	case err != nil:
		m.failures.Inc()
	default:
		m.commits.Inc()
		m.records.Add(float64(records))
	}
}

func (m *Metrics) tooFarAhead() {
	if m != nil {
		m.skewed.Inc()
	}
}

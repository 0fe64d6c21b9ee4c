package membership

import (
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

type metrics struct {
	errors   *prometheus.CounterVec
	confirms *prometheus.CounterVec
	resets   prometheus.Counter
	idle     prometheus.Counter
	skipped  prometheus.Gauge
}

// newMetrics registers a Watcher's metrics, if there is a registry.
func newMetrics(registry *prometheus.Registry, w *Watcher) *metrics {
	m := &metrics{
		errors: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "ringkv_membership_errors_total",
			Help: "Questions to Consul without a usable answer, by kind.",
		}, []string{"kind"}),
		confirms: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "ringkv_membership_confirms_total",
			Help: "Suspiciously small answers, by what became of them.",
		}, []string{"outcome"}),
		resets: prometheus.NewCounter(prometheus.CounterOpts{
			Name: "ringkv_membership_index_resets_total",
			Help: "Answers thrown away because their index was below the one waited for.",
		}),
		idle: prometheus.NewCounter(prometheus.CounterOpts{
			Name: "ringkv_membership_wakes_without_change_total",
			Help: "Answers that listed the members already known.",
		}),
		skipped: prometheus.NewGauge(prometheus.GaugeOpts{
			Name: "ringkv_membership_skipped_entries",
			Help: "Registrations left out of the last answer: bad meta, or an id or address registered twice.",
		}),
	}
	if registry != nil {
		registry.MustRegister(m.errors, m.confirms, m.resets, m.idle, m.skipped)
		registry.MustRegister(watcherGauges(w)...)
	}
	return m
}

func watcherGauges(w *Watcher) []prometheus.Collector {
	gauges := boardGauges(w.board)
	for state := Cold; state <= Confirm; state++ {
		gauges = append(gauges, prometheus.NewGaugeFunc(prometheus.GaugeOpts{
			Name:        "ringkv_membership_state",
			Help:        "1 for the state that the watch of Consul is in.",
			ConstLabels: prometheus.Labels{"state": state.String()},
		}, func() float64 {
			if w.State() == state {
				return 1
			}
			return 0
		}))
	}
	return gauges
}

// boardGauges describe the members shown, 0 while none are known.
func boardGauges(b *board) []prometheus.Collector {
	start := time.Now()
	gauge := func(name, help string, value func(*Snapshot) float64) prometheus.Collector {
		return prometheus.NewGaugeFunc(prometheus.GaugeOpts{Name: name, Help: help}, func() float64 {
			if s := b.Snapshot(); s != nil {
				return value(s)
			}
			return 0
		})
	}
	age := func() float64 {
		if at := b.LastContact(); !at.IsZero() {
			return time.Since(at).Seconds()
		}
		return time.Since(start).Seconds()
	}
	return []prometheus.Collector{
		prometheus.NewGaugeFunc(prometheus.GaugeOpts{
			Name: "ringkv_membership_age_seconds",
			Help: "Time since the members were last confirmed; since start if they never were.",
		}, age),
		gauge("ringkv_membership_members", "Nodes that pass.",
			func(s *Snapshot) float64 { return float64(len(s.Members)) }),
		gauge("ringkv_membership_index", "Consul's index at the last change of members.",
			func(s *Snapshot) float64 { return float64(s.Index) }),
		gauge("ringkv_membership_hash", "Digest of the members (32 bits): processes that show the same have the same.",
			func(s *Snapshot) float64 { return float64(uint32(s.Hash())) }),
	}
}

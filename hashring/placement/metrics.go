package placement

import (
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

type watcherMetrics struct {
	errors, resets, refused, unsaved prometheus.Counter
}

func newWatcherMetrics(registry *prometheus.Registry) watcherMetrics {
	counter := func(name, help string) prometheus.Counter {
		return prometheus.NewCounter(prometheus.CounterOpts{Name: "ringkv_placement_" + name, Help: help})
	}
	m := watcherMetrics{
		errors:  counter("errors_total", "Questions to Consul about the placement without an answer."),
		resets:  counter("index_resets_total", "Answers thrown away because their index was below the one waited for."),
		refused: counter("refused_documents_total", "Documents in Consul that were not taken: malformed, older, or of another number of replicas."),
		unsaved: counter("save_errors_total", "Attempts to save the placement that failed."),
	}
	if registry != nil {
		registry.MustRegister(m.errors, m.resets, m.refused, m.unsaved)
	}
	return m
}

// registerViews registers the gauges of v; they are 0 while there is no view.
func registerViews(registry *prometheus.Registry, v *Views) {
	gauge := func(name, help string, value func(*View) float64) {
		registry.MustRegister(prometheus.NewGaugeFunc(prometheus.GaugeOpts{Name: name, Help: help}, func() float64 {
			if view := v.View(); view != nil {
				return value(view)
			}
			return 0
		}))
	}
	gauge("ringkv_ring_generation", "Generation of the placement in use.", func(w *View) float64 { return float64(w.Generation()) })
	gauge("ringkv_ring_passing_nodes", "Nodes of the placement that pass.", func(w *View) float64 { return float64(len(w.passing())) })
	gauge("ringkv_ring_away_nodes", "Nodes of the placement that don't pass.", func(w *View) float64 { return float64(len(w.Away())) })
	gauge("ringkv_ring_joining_nodes", "Nodes that pass and aren't in the placement yet.", func(w *View) float64 { return float64(len(w.Joining())) })
	gauge("ringkv_ring_refused_nodes", "Nodes left out as they were started with another number of replicas.", func(w *View) float64 { return float64(len(w.Refused())) })
	gauge("ringkv_ring_age_seconds", "Time since Consul last confirmed the ring.", func(*View) float64 { return v.Age(time.Now()).Seconds() })
}

package keeper

import "github.com/prometheus/client_golang/prometheus"

type metrics struct {
	holding   prometheus.Gauge
	proposals *prometheus.CounterVec
}

func newMetrics(registry *prometheus.Registry) metrics {
	m := metrics{
		holding: prometheus.NewGauge(prometheus.GaugeOpts{
			Name: "ringkv_keeper_holding",
			Help: "1 while this node holds the keeper's lock.",
		}),
		proposals: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "ringkv_keeper_proposals_total",
			Help: "Placements proposed, by outcome: written, overtaken by another, or failed (it may have been written).",
		}, []string{"outcome"}),
	}
	if registry != nil {
		registry.MustRegister(m.holding, m.proposals)
	}
	return m
}

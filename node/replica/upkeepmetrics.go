package replica

import (
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

// upkeepMetrics count what the upkeep does, and how far behind it finds this node and the others.
type upkeepMetrics struct {
	mended             *prometheus.CounterVec
	dropped, collected prometheus.Counter
	behind             prometheus.Gauge
	compared           *atomic.Int64 // when the last round ended, in Unix nanoseconds; 0 for never
}

func newUpkeepMetrics(reg prometheus.Registerer) upkeepMetrics {
	m := upkeepMetrics{
		mended: prometheus.NewCounterVec(prometheus.CounterOpts{Name: "ringkv_replica_repaired_records_total",
			Help: "Records that owners lacked: fetched from another, pushed to another, or damaged here and replaced from others."}, []string{"how"}),
		dropped:   prometheus.NewCounter(prometheus.CounterOpts{Name: "ringkv_replica_dropped_slots_total", Help: "Slots given up, which other nodes own and hold by now."}),
		collected: prometheus.NewCounter(prometheus.CounterOpts{Name: "ringkv_replica_tombstones_collected_total", Help: "Tombstones that this node gave up, since all owners had them."}),
		behind:    prometheus.NewGauge(prometheus.GaugeOpts{Name: "ringkv_replica_slots_behind", Help: "Slots of which this node and another owner held something else, when they were last compared."}),
		compared:  new(atomic.Int64),
	}
	reg.MustRegister(m.mended, m.dropped, m.collected, m.behind, prometheus.NewGaugeFunc(prometheus.GaugeOpts{Name: "ringkv_replica_comparison_age_seconds",
		Help: "Time since this node last compared its slots with the other owners'; -1 before the first time."}, m.age))
	for _, how := range []string{"fetched", "pushed", "damage"} {
		m.mended.WithLabelValues(how)
	}
	return m
}

func (m *upkeepMetrics) age() float64 {
	at := m.compared.Load()
	if at == 0 {
		return -1
	}
	return time.Since(time.Unix(0, at)).Seconds()
}

func (m *Metrics) repaired(how string, records int) {
	if m != nil {
		m.upkeep.mended.WithLabelValues(how).Add(float64(records))
	}
}

func (m *Metrics) droppedSlots(n int) {
	if m != nil {
		m.upkeep.dropped.Add(float64(n))
	}
}

func (m *Metrics) tombstonesCollected(n int) {
	if m != nil {
		m.upkeep.collected.Add(float64(n))
	}
}

// comparedSlots tells the end of a round, which found so many slots in which owners differ.
func (m *Metrics) comparedSlots(behind int) {
	if m != nil {
		m.upkeep.behind.Set(float64(behind))
		m.upkeep.compared.Store(time.Now().UnixNano())
	}
}

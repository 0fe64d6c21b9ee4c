package wire

import (
	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promauto"
)

type serverMetrics struct {
	conns      prometheus.Gauge
	refused    prometheus.Counter
	overloaded prometheus.Counter
	bytes      prometheus.Counter
	writes     prometheus.Counter
}

func newServerMetrics(r prometheus.Registerer) *serverMetrics {
	make := promauto.With(r)
	return &serverMetrics{
		conns: make.NewGauge(prometheus.GaugeOpts{
			Name: "ringkv_wire_server_connections", Help: "Connections of gateways and nodes to this node."}),
		refused: make.NewCounter(prometheus.CounterOpts{
			Name: "ringkv_wire_server_refused_total", Help: "Handshakes refused."}),
		overloaded: make.NewCounter(prometheus.CounterOpts{
			Name: "ringkv_wire_server_overloaded_total", Help: "Requests answered with Overloaded because too much waited."}),
		bytes: make.NewCounter(prometheus.CounterOpts{
			Name: "ringkv_wire_server_written_bytes_total", Help: "Bytes of answers written."}),
		writes: make.NewCounter(prometheus.CounterOpts{
			Name: "ringkv_wire_server_writes_total", Help: "Write calls, each of a batch of answers."}),
	}
}

func (m *serverMetrics) wrote(n int64) {
	m.writes.Inc()
	m.bytes.Add(float64(n))
}

type poolMetrics struct {
	conns    prometheus.Gauge
	dials    *prometheus.CounterVec
	silent   prometheus.Counter
	notSent  prometheus.Counter
	noAnswer prometheus.Counter
	bytes    prometheus.Counter
	writes   prometheus.Counter
}

func newPoolMetrics(r prometheus.Registerer) *poolMetrics {
	make := promauto.With(r)
	return &poolMetrics{
		conns: make.NewGauge(prometheus.GaugeOpts{
			Name: "ringkv_wire_client_connections", Help: "Connections open to nodes."}),
		dials: make.NewCounterVec(prometheus.CounterOpts{
			Name: "ringkv_wire_client_dials_total", Help: "Attempts to connect to a node."}, []string{"outcome"}),
		silent: make.NewCounter(prometheus.CounterOpts{
			Name: "ringkv_wire_client_silences_total", Help: "Times that a node turned silent."}),
		notSent: make.NewCounter(prometheus.CounterOpts{
			Name: "ringkv_wire_client_not_sent_total", Help: "Requests that never left."}),
		noAnswer: make.NewCounter(prometheus.CounterOpts{
			Name: "ringkv_wire_client_no_answer_total", Help: "Requests that left and got no answer."}),
		bytes: make.NewCounter(prometheus.CounterOpts{
			Name: "ringkv_wire_client_written_bytes_total", Help: "Bytes of requests written."}),
		writes: make.NewCounter(prometheus.CounterOpts{
			Name: "ringkv_wire_client_writes_total", Help: "Write calls, each of a batch of requests."}),
	}
}

func (m *poolMetrics) wrote(n int64) {
	m.writes.Inc()
	m.bytes.Add(float64(n))
}

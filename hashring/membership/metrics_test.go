package membership

import (
	"context"
	"log/slog"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

// sample returns the value of a metric, with the value of its only label if it has one.
func sample(t *testing.T, registry *prometheus.Registry, name, label string) float64 {
	t.Helper()
	families, err := registry.Gather()
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range families {
		for _, m := range f.GetMetric() {
			if f.GetName() != name || label != "" && m.GetLabel()[0].GetValue() != label {
				continue
			}
			return m.GetGauge().GetValue() + m.GetCounter().GetValue() // one of the two is there
		}
	}
	t.Fatalf("there is no metric %s %s", name, label)
	return 0
}

func TestWatcherMetrics(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newFakeConsul("a", "b", "c")
		twin := c.entries["a"]
		twin.Addr, twin.Created = "older:5000", 1
		c.entries["twin"] = twin // of the same id
		o := quiet()
		o.Metrics = prometheus.NewRegistry()
		w := NewWatcher(c.query, c.probe, o)
		run(t, w.Run)
		want := func(name, label string, value float64) {
			t.Helper()
			sleep(t.Context(), time.Second) // the questions that follow a change may have to wait for their turn
			if got := sample(t, o.Metrics, name, label); got != value {
				t.Errorf("%s %s = %v, want %v", name, label, got, value)
			}
		}
		want("ringkv_membership_state", "live", 1)
		want("ringkv_membership_state", "cold", 0)
		want("ringkv_membership_members", "", 3)
		want("ringkv_membership_index", "", 103)
		want("ringkv_membership_hash", "", float64(uint32(snapshot("a", "b", "c").Hash())))
		want("ringkv_membership_skipped_entries", "", 1)

		c.do(func() { c.index++ })
		want("ringkv_membership_wakes_without_change_total", "", 1)
		c.die("a", "b", "c")
		c.do(func() { c.index++; clear(c.entries) })
		want("ringkv_membership_confirms_total", "kept", 1)
		want("ringkv_membership_state", "confirm", 1)

		c.do(func() { c.err = ErrForbidden })
		sleep(t.Context(), waitTime)
		if n := sample(t, o.Metrics, "ringkv_membership_errors_total", "forbidden"); n < 1 {
			t.Errorf("errors of kind forbidden = %v, want some", n)
		}
		want("ringkv_membership_state", "blind", 1)
		if age := sample(t, o.Metrics, "ringkv_membership_age_seconds", ""); age < 20 || age > 40 {
			t.Errorf("age = %v s after an outage of about %v", age, waitTime)
		}
		c.do(func() { c.err = nil })
		sleep(t.Context(), 2*backoffCap)
		before := sample(t, o.Metrics, "ringkv_membership_index_resets_total", "")
		c.do(func() { c.index = 1 })
		sleep(t.Context(), 2*waitTime)
		if after := sample(t, o.Metrics, "ringkv_membership_index_resets_total", ""); after <= before {
			t.Errorf("index resets = %v, want more than %v", after, before)
		}
	})
}

func TestFixedMetrics(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newFakeConsul("a:1")
		o := quiet()
		o.Metrics = prometheus.NewRegistry()
		f, err := NewFixed([]string{"a:1", "b:1"}, c.probe, o)
		if err != nil {
			t.Fatal(err)
		}
		run(t, f.Run)
		<-f.Ready()
		if n := sample(t, o.Metrics, "ringkv_membership_members", ""); n != 1 {
			t.Errorf("members = %v, want 1", n)
		}
	})
}

func TestTroubleIsSaidOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newFakeConsul("a")
		query := c.query
		var text strings.Builder
		o := Options{Log: slog.New(slog.NewTextHandler(&text, nil)), Random: quiet().Random}
		w := NewWatcher(func(ctx context.Context, req Request) (*Answer, error) {
			answer, err := query(ctx, req)
			if answer != nil {
				answer.Skipped = []string{"instance x was skipped: its meta node_id is missing"}
			}
			return answer, err
		}, c.probe, o)
		run(t, w.Run)
		<-w.Ready()
		sleep(t.Context(), 5*time.Minute)
		c.do(func() { c.err = errDown })
		sleep(t.Context(), 5*time.Minute)
		c.do(func() { c.err = nil })
		sleep(t.Context(), time.Minute)
		for _, line := range []string{"instance x was skipped", "no usable answer from Consul", "Consul answers again", "membership changed"} {
			if n := strings.Count(text.String(), line); n != 1 {
				t.Errorf("%q stands %d times in the log, want once:\n%s", line, n, text.String())
			}
		}
	})
}

// A cluster that is stopped at once is no trouble, whatever its programs see of each other last.
func TestThatAllAreGoneIsSaidByWhoStays(t *testing.T) {
	for draining, want := range map[bool]int{false: 1, true: 0} {
		synctest.Test(t, func(t *testing.T) {
			c := newFakeConsul(abc...)
			var text strings.Builder
			o := Options{Log: slog.New(slog.NewTextHandler(&text, nil)), Random: quiet().Random, Draining: func() bool { return draining }}
			w := NewWatcher(c.query, c.probe, o)
			run(t, w.Run)
			<-w.Ready()
			c.die(abc...)
			c.check(false, abc...)
			sleep(t.Context(), time.Second)
			if n := strings.Count(text.String(), "level=ERROR"); n != want {
				t.Errorf("draining: %t, errors in the log: %d, want %d:\n%s", draining, n, want, text.String())
			}
		})
	}
}

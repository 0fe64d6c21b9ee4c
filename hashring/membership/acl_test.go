package membership

import (
	"testing"
	"time"

	"github.com/hashicorp/consul/api"
	"github.com/prometheus/client_golang/prometheus"

	"ringkv/hashring/membership/consultest"
)

// grant makes a token with rules and returns it.
func grant(t *testing.T, consul *consultest.Agent, name, rules string) *api.ACLToken {
	t.Helper()
	policy, _, err := consul.Client.ACL().PolicyCreate(&api.ACLPolicy{Name: name, Rules: rules}, nil)
	if err != nil {
		t.Fatal(err)
	}
	token, _, err := consul.Client.ACL().TokenCreate(&api.ACLToken{Policies: []*api.ACLTokenPolicyLink{{ID: policy.ID}}}, nil)
	if err != nil {
		t.Fatal(err)
	}
	return token
}

func TestRealConsulWithACLs(t *testing.T) {
	consul := consultest.StartACL(t)
	for _, id := range []string{"a", "b"} {
		enlist(t, consul, id, "1s")
	}
	const (
		long    = 30 * time.Second
		service = `service "ringkv-node" { policy = "read" }`
		nodes   = `node_prefix "" { policy = "read" }`
	)
	watchAs := func(secret string) (*Watcher, *prometheus.Registry) {
		o := quiet()
		o.Metrics = prometheus.NewRegistry()
		w := NewWatcher(NewConsulQuery(consul.NewClient(secret), "ringkv-node"), NewHTTPProbe(), o)
		run(t, w.Run)
		return w, o.Metrics
	}

	// Consul answers "200 []" to a token that may see the service but not the nodes it runs on.
	half, metrics := watchAs(grant(t, consul, "half", service).SecretID)
	eventually(t, long, "a filtered answer is an error", func() bool {
		return counted(t, metrics, "filtered") > 2
	})
	if half.Snapshot() != nil {
		t.Errorf("members = %v from an answer that was filtered", half.Snapshot().Members)
	}

	token := grant(t, consul, "whole", service+nodes)
	w, metrics := watchAs(token.SecretID)
	eventually(t, long, "both pass", lists(w, "a", "b"))
	if _, err := consul.Client.ACL().TokenDelete(token.AccessorID, nil); err != nil {
		t.Fatal(err)
	}
	eventually(t, long, "the token is refused", func() bool { return counted(t, metrics, "forbidden") > 0 })
	if !lists(w, "a", "b")() {
		t.Errorf("members = %v after the token was deleted, want those known before", w.Snapshot().Members)
	}
}

// counted returns how many errors of a kind there were.
func counted(t *testing.T, registry *prometheus.Registry, kind string) float64 {
	t.Helper()
	families, err := registry.Gather()
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range families {
		for _, m := range f.GetMetric() {
			if f.GetName() == "ringkv_membership_errors_total" && m.GetLabel()[0].GetValue() == kind {
				return m.GetCounter().GetValue()
			}
		}
	}
	return 0
}

package registry_test

import (
	"context"
	"net"
	"net/http"
	"net/http/httptest"
	"slices"
	"testing"
	"time"

	"github.com/hashicorp/consul/api"

	"ringkv/hashring/membership"
	"ringkv/hashring/membership/consultest"
	"ringkv/node/registry"
)

const (
	service = "ringkv-node"
	long    = 30 * time.Second // a bound for what happens sooner, on any machine
)

// A node is an HTTP server that says it serves, to whoever asks for its id.
type node struct {
	id, addr  string
	registrar *registry.Registrar
	server    *httptest.Server
}

func startNode(t *testing.T, consul *consultest.Agent, id string, seen func() bool) *node {
	t.Helper()
	n := &node{id: id}
	n.server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path != "/health-check" || r.URL.Query().Get("node") != id {
			w.WriteHeader(http.StatusServiceUnavailable)
		}
	}))
	t.Cleanup(n.server.Close)
	n.addr = n.server.Listener.Addr().String()
	var err error
	n.registrar, err = registry.New(registry.NewAgent(consul.Client), registry.Desired{
		Service: service, ID: id, Addr: n.addr, Tags: []string{"v1"}, Weight: 2,
		Meta: registry.NodeMeta(id, "disk-"+id, "memory", 3, 1024, "a", "1.0"),
	}, registry.Options{Seen: seen, Log: quiet().Log})
	if err != nil {
		t.Fatal(err)
	}
	run(t, n.registrar.Run)
	return n
}

// run runs f until the test ends, and waits for it.
func run(t *testing.T, f func(context.Context) error) {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- f(ctx) }()
	t.Cleanup(func() {
		cancel()
		if err := <-done; err != nil {
			t.Errorf("Run = %v", err)
		}
	})
}

func startWatcher(t *testing.T, consul *consultest.Agent) *membership.Watcher {
	t.Helper()
	w := membership.NewWatcher(membership.NewConsulQuery(consul.Client, service), membership.NewHTTPProbe(), membership.Options{Log: quiet().Log})
	run(t, w.Run)
	return w
}

func members(w *membership.Watcher) []string {
	var ids []string
	if s := w.Snapshot(); s != nil {
		for _, m := range s.Members {
			ids = append(ids, m.ID)
		}
	}
	return ids
}

// eventually polls until ok.
func eventually(t *testing.T, within time.Duration, what string, ok func() bool) time.Duration {
	t.Helper()
	start := time.Now()
	for !ok() {
		if time.Since(start) > within {
			t.Fatalf("not within %v: %s", within, what)
		}
		<-time.After(5 * time.Millisecond)
	}
	return time.Since(start)
}

func lists(w *membership.Watcher, ids ...string) func() bool {
	return func() bool { return slices.Equal(members(w), ids) }
}

func TestNodesOnARealConsul(t *testing.T) {
	consul := consultest.Start(t)
	w := startWatcher(t, consul)
	n1 := startNode(t, consul, "n1", func() bool { return slices.Contains(members(w), "n1") })
	n2 := startNode(t, consul, "n2", nil)
	eventually(t, long, "n1 and n2 pass", lists(w, "n1", "n2"))
	m := w.Snapshot().Members[0]
	if m.Addr != n1.addr || m.Weight != 2 || m.Zone != "a" || m.Disk != "disk-n1" || m.Replicas != 3 {
		t.Errorf("member = %+v, not what was registered", m)
	}

	n1.registrar.Fail("disk failed")
	t.Logf("Fail is seen after %v", eventually(t, long, "n1 leaves when it fails", lists(w, "n2")))
	n1.registrar.Recover()
	eventually(t, long, "n1 is back", lists(w, "n1", "n2"))

	n2.server.Close()
	t.Logf("a dead process is seen after %v", eventually(t, long, "n2 leaves when it is dead", lists(w, "n1")))

	if err := n1.registrar.Drain(context.Background()); err != nil {
		t.Errorf("Drain = %v", err)
	}
	if s := n1.registrar.State(); s != registry.Gone {
		t.Errorf("State = %v, want gone", s)
	}
	if _, _, err := consul.Client.Agent().Service(service+"-n1", nil); err == nil {
		t.Error("n1 is still registered after Drain")
	}
}

func TestRegistrationComesBackAfterConsulLostIt(t *testing.T) {
	consul := consultest.Start(t)
	w := startWatcher(t, consul)
	for _, id := range []string{"n1", "n2", "n3"} {
		startNode(t, consul, id, nil)
	}
	eventually(t, long, "all pass", lists(w, "n1", "n2", "n3"))

	stop, shrank := make(chan struct{}), make(chan []string, 1)
	go func() {
		defer close(shrank)
		wakes := w.Subscribe()
		for {
			select {
			case <-stop:
				return
			case <-wakes:
				if ids := members(w); len(ids) < 3 {
					shrank <- ids
					return
				}
			}
		}
	}()
	consul.Kill()
	consul.Restart() // with nothing in it
	eventually(t, long, "all are registered again", func() bool {
		entries, _, err := consul.Client.Health().Service(service, "", true, nil)
		return err == nil && len(entries) == 3
	})
	eventually(t, long, "the watch is live", func() bool { return w.State() == membership.Live })
	close(stop)
	if ids, ok := <-shrank; ok {
		t.Errorf("the ring shrank to %v while all nodes served", ids)
	}
}

func TestEditedAndDeletedRegistrationsAreMended(t *testing.T) {
	consul := consultest.Start(t)
	startNode(t, consul, "n1", nil)
	agent := consul.Client.Agent()
	meta := func() string {
		s, _, err := agent.Service(service+"-n1", nil)
		if err != nil {
			return err.Error()
		}
		return s.Meta["zone"]
	}
	eventually(t, long, "registered", func() bool { return meta() == "a" })

	edited := &api.AgentServiceRegistration{ID: service + "-n1", Name: service, Meta: map[string]string{"zone": "edited"}}
	if err := agent.ServiceRegister(edited); err != nil {
		t.Fatal(err)
	}
	eventually(t, long, "the edit is undone", func() bool { return meta() == "a" })
	if err := agent.ServiceDeregister(service + "-n1"); err != nil {
		t.Fatal(err)
	}
	eventually(t, long, "registered again", func() bool { return meta() == "a" })
}

func TestLeftoversGoAndMaintenanceStays(t *testing.T) {
	consul := consultest.Start(t)
	agent := consul.Client.Agent()
	n := startNode(t, consul, "n1", nil)
	registered := func(id string) func() bool {
		return func() bool { _, _, err := agent.Service(id, nil); return err == nil }
	}
	eventually(t, long, "registered", registered(service+"-n1"))
	if err := n.registrar.Drain(context.Background()); err != nil {
		t.Fatal(err)
	}

	// What an earlier run of another id left, and an operator's maintenance of the present one.
	addr := n.server.Listener.Addr().(*net.TCPAddr)
	old := &api.AgentServiceRegistration{ID: service + "-old", Name: service, Address: addr.IP.String(), Port: addr.Port}
	mine := &api.AgentServiceRegistration{ID: service + "-n1", Name: service, Address: addr.IP.String(), Port: addr.Port,
		Check: &api.AgentServiceCheck{CheckID: "stale", TTL: "1h"}}
	for _, r := range []*api.AgentServiceRegistration{old, mine} {
		if err := agent.ServiceRegister(r); err != nil {
			t.Fatal(err)
		}
	}
	if err := agent.EnableServiceMaintenance(service+"-n1", "new disk"); err != nil {
		t.Fatal(err)
	}
	again, err := registry.New(registry.NewAgent(consul.Client), registry.Desired{Service: service, ID: "n1", Addr: n.addr}, quiet())
	if err != nil {
		t.Fatal(err)
	}
	run(t, again.Run)
	eventually(t, long, "the leftover is gone", func() bool { return !registered(service + "-old")() })
	want := []string{"_service_maintenance:" + service + "-n1", service + "-n1:http", service + "-n1:ttl"}
	eventually(t, long, "checks are "+want[1]+", "+want[2]+" and the maintenance", func() bool {
		checks, err := agent.ChecksWithFilter(`ServiceID == "` + service + `-n1"`)
		var ids []string
		for id := range checks {
			ids = append(ids, id)
		}
		slices.Sort(ids)
		return err == nil && slices.Equal(ids, want)
	})
}

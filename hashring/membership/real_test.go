package membership

import (
	"net"
	"strconv"
	"testing"
	"time"

	"github.com/hashicorp/consul/api"

	"ringkv/hashring/membership/consultest"
)

// enlist registers a node that serves, with an HTTP check that the agent runs that often.
func enlist(t *testing.T, consul *consultest.Agent, id, interval string) {
	t.Helper()
	m := serve(t, id, healthy(id))
	host, port, err := net.SplitHostPort(m.Addr)
	if err != nil {
		t.Fatal(err)
	}
	n, err := strconv.Atoi(port)
	if err != nil {
		t.Fatal(err)
	}
	err = consul.Client.Agent().ServiceRegister(&api.AgentServiceRegistration{
		ID: "ringkv-node-" + id, Name: "ringkv-node", Address: host, Port: n, Meta: map[string]string{"node_id": id},
		Check: &api.AgentServiceCheck{
			HTTP: "http://" + m.Addr + "/health-check?node=" + id, Interval: interval, Timeout: "500ms",
		},
	})
	if err != nil {
		t.Fatal(err)
	}
}

func watchReal(t *testing.T, consul *consultest.Agent, o Options) *Watcher {
	t.Helper()
	w := NewWatcher(NewConsulQuery(consul.Client, "ringkv-node"), NewHTTPProbe(), o)
	run(t, w.Run)
	return w
}

func TestRealConsul(t *testing.T) {
	consul := consultest.Start(t)
	w := watchReal(t, consul, quiet())
	const soon = 30 * time.Second // on any machine
	eventually(t, soon, "an answer without members", lists(w))
	for _, id := range []string{"a", "b", "c"} {
		enlist(t, consul, id, "1s")
	}
	eventually(t, soon, "all pass", lists(w, "a", "b", "c"))

	if err := consul.Client.Agent().EnableServiceMaintenance("ringkv-node-a", "new disk"); err != nil {
		t.Fatal(err)
	}
	eventually(t, soon, "a is out for maintenance", lists(w, "b", "c"))
	if err := consul.Client.Agent().EnableServiceMaintenance("ringkv-node-b", "new disk"); err != nil {
		t.Fatal(err)
	}
	eventually(t, soon, "b too, as most of the ring, at once since it's an operator's will", lists(w, "c"))
	for _, id := range []string{"a", "b"} {
		if err := consul.Client.Agent().DisableServiceMaintenance("ringkv-node-" + id); err != nil {
			t.Fatal(err)
		}
	}
	eventually(t, soon, "both are back", lists(w, "a", "b", "c"))

	if err := consul.Client.Agent().ServiceDeregister("ringkv-node-b"); err != nil {
		t.Fatal(err)
	}
	eventually(t, soon, "b has left", lists(w, "a", "c"))
}

// A restarted Consul may list everybody as passing at first, and marks all services critical, one by one, until it has checked them.
func TestRealConsulRestartTakesOutNobody(t *testing.T) {
	consul := consultest.StartDurable(t)
	o := quiet()
	o.Random = func() float64 { return 0 } // tries again without a pause, so that it hears Consul's first answers
	w := watchReal(t, consul, o)
	for _, id := range []string{"a", "b", "c"} {
		enlist(t, consul, id, "4s") // so that the first check of most comes after the election
	}
	const long = 30 * time.Second
	eventually(t, long, "all pass", lists(w, "a", "b", "c"))
	consul.Kill()
	eventually(t, long, "blind", func() bool { return w.State() == Blind })
	least := 3
	wakes := w.Subscribe()
	consul.Restart()
	eventually(t, long, "all have passed anew, live with all", func() bool {
		select {
		case <-wakes:
			least = min(least, len(w.Snapshot().Members))
		default:
		}
		return passedAnew(t, consul) && w.State() == Live && lists(w, "a", "b", "c")()
	})
	if least < 3 {
		t.Errorf("the ring was down to %d of 3 while all nodes served", least)
	}
}

// passedAnew reports whether all checks of the agent pass by what it found out itself since it was started.
func passedAnew(t *testing.T, consul *consultest.Agent) bool {
	t.Helper()
	checks, err := consul.Client.Agent().Checks()
	if err != nil {
		t.Fatal(err)
	}
	for _, check := range checks {
		if check.Status != api.HealthPassing {
			return false
		}
	}
	return len(checks) == 3
}

package membership

import (
	"net"
	"strconv"
	"testing"
	"time"

	"github.com/hashicorp/consul/api"

	"ringkv/hashring/membership/consultest"
)

// enlist registers a node that serves, with an HTTP check that the agent runs every second.
func enlist(t *testing.T, consul *consultest.Agent, id string) {
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
			HTTP: "http://" + m.Addr + "/health-check?node=" + id, Interval: "1s", Timeout: "500ms",
		},
	})
	if err != nil {
		t.Fatal(err)
	}
}

func watchReal(t *testing.T, consul *consultest.Agent) *Watcher {
	t.Helper()
	w := NewWatcher(NewConsulQuery(consul.Client, "ringkv-node"), NewHTTPProbe(), quiet())
	run(t, w.Run)
	return w
}

func TestRealConsul(t *testing.T) {
	consul := consultest.Start(t)
	w := watchReal(t, consul)
	const soon = 30 * time.Second // on any machine
	eventually(t, soon, "an answer without members", lists(w))
	for _, id := range []string{"a", "b", "c"} {
		enlist(t, consul, id)
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

// A restarted agent marks all its services critical before it has checked them.
func TestRealConsulRestartTakesOutNobodyForGood(t *testing.T) {
	consul := consultest.StartDurable(t)
	w := watchReal(t, consul)
	for _, id := range []string{"a", "b", "c"} {
		enlist(t, consul, id)
	}
	const long = 30 * time.Second
	eventually(t, long, "all pass", lists(w, "a", "b", "c"))
	least := 3
	watchLeast := func() {
		if s := w.Snapshot(); len(s.Members) < least {
			least = len(s.Members)
		}
	}
	consul.Kill()
	eventually(t, long, "blind", func() bool { return w.State() == Blind })
	consul.Restart()
	eventually(t, long, "live with all", func() bool {
		watchLeast()
		return w.State() == Live && lists(w, "a", "b", "c")()
	})
	if least < 2 {
		t.Errorf("the ring was down to %d of 3 while all nodes served", least)
	}
}

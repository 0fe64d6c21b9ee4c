package registry_test

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/hashicorp/consul/api"

	"ringkv/node/registry"
)

func TestRegistrationSaysAllThatConsulShouldShow(t *testing.T) {
	got := make(chan api.AgentServiceRegistration, 1)
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path != "/v1/agent/service/register" {
			http.Error(w, "not here", http.StatusInternalServerError)
			return
		}
		var reg api.AgentServiceRegistration
		if err := json.NewDecoder(r.Body).Decode(&reg); err != nil {
			t.Error(err)
		}
		if r.URL.Query().Has("replace-existing-checks") {
			t.Error("registered in the way that ends an operator's maintenance")
		}
		select {
		case got <- reg:
		default:
		}
	}))
	t.Cleanup(server.Close)
	config := api.DefaultConfig()
	config.Address = server.Listener.Addr().String()
	client, err := api.NewClient(config)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(config.Transport.CloseIdleConnections)

	d := desired()
	d.ID, d.Addr, d.CheckAddr = "n:1", "[::1]:5000", "127.0.0.1:5000"
	d.Weight, d.Interval, d.Timeout = 3, 2*time.Second, 400*time.Millisecond
	r, err := registry.New(registry.NewAgent(client), d, quiet())
	if err != nil {
		t.Fatal(err)
	}
	run(t, r.Run)
	reg := <-got
	if reg.ID != "ringkv-node-n:1" || reg.Name != "ringkv-node" || reg.Address != "::1" || reg.Port != 5000 || reg.Weights.Passing != 3 {
		t.Errorf("registration = %+v", reg)
	}
	for k, want := range map[string]string{"node_id": "n1", "disk": "d1", "store": "json", "replicas": "3", "slots": "1024", "zone": "a", "version": "v1"} {
		if reg.Meta[k] != want {
			t.Errorf("meta %s = %q, want %q", k, reg.Meta[k], want)
		}
	}
	up, ttl := reg.Checks[0], reg.Checks[1]
	if up.CheckID != "ringkv-node-n:1:http" || up.HTTP != "http://127.0.0.1:5000/health-check?node=n%3A1" || up.Interval != "2s" ||
		up.Timeout != "400ms" || up.Status != "" || up.Notes == "" || up.DeregisterCriticalServiceAfter != "1h0m0s" {
		t.Errorf("HTTP check = %+v", up)
	}
	if ttl.CheckID != "ringkv-node-n:1:ttl" || ttl.TTL != "15s" || ttl.Status != api.HealthPassing || ttl.Notes == "" {
		t.Errorf("TTL check = %+v", ttl)
	}
}

func TestNewRefusesWhatConsulWouldRefuseOrBend(t *testing.T) {
	for _, c := range []struct {
		edit func(*registry.Desired)
		want string
	}{
		{func(d *registry.Desired) { d.Service = "" }, "service"},
		{func(d *registry.Desired) { d.ID = "" }, "id"},
		{func(d *registry.Desired) { d.ID = "a/b" }, "letters"},
		{func(d *registry.Desired) { d.ID = `a" or "` }, "letters"},
		{func(d *registry.Desired) { d.ID = strings.Repeat("n", 129) }, "letters"},
		{func(d *registry.Desired) { d.Addr = "5000" }, "not host:port"},
		{func(d *registry.Desired) { d.Addr = ":5000" }, "not host:port"},
		{func(d *registry.Desired) { d.Addr = "0.0.0.0:5000" }, "every interface"},
		{func(d *registry.Desired) { d.Addr = "[::]:5000" }, "every interface"},
		{func(d *registry.Desired) { d.Addr = "host:0" }, "port"},
		{func(d *registry.Desired) { d.CheckAddr = "host" }, "not host:port"},
		{func(d *registry.Desired) { d.Interval = time.Millisecond }, "below 1s"},
		{func(d *registry.Desired) { d.Timeout = -1 }, "not positive"},
		{func(d *registry.Desired) { d.ReapAfter = time.Minute }, "10m"},
		{func(d *registry.Desired) { d.Weight = 65536 }, "65535"},
		{func(d *registry.Desired) { d.Weight = -1 }, "65535"},
		{func(d *registry.Desired) { d.Meta["zone"] = strings.Repeat("z", 513) }, "zone"},
	} {
		d := desired()
		c.edit(&d)
		if _, err := registry.New(newFakeAgent(), d, quiet()); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("New(%+v) = %v, want an error with %q", d, err, c.want)
		}
	}
}

func TestGatewayIsRegisteredByTheSameCode(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a := newFakeAgent()
		r, err := registry.New(a, registry.Desired{Service: "ringkv-gateway", ID: "g1", Addr: "10.0.0.9:8001"}, quiet())
		if err != nil {
			t.Fatal(err)
		}
		run(t, r.Run)
		synctest.Wait()
		if !a.has("ringkv-gateway-g1") {
			t.Error("the gateway is not registered")
		}
	})
}

//go:build integration

package integration

import (
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"testing"
)

// The steps in which such a system grows, each as the commands that a user would type. What `curl -X PUT -d myvalue1` sends, the client
// sends.

// One server in memory; then one that keeps its data in JSON.
func TestOneNodeAloneWorks(t *testing.T) {
	t.Parallel()
	for store, kept := range map[string]bool{"memory": false, "json": true} {
		t.Run(store, func(t *testing.T) {
			c := NewNetwork(t, Options{Nodes: 1, Replicas: 1})
			c.launch(t, fixedNode(c, "n1", []string{"n1:5000"}, "-store", store))
			c.awaitServing(t, "n1")
			c.curlPut(t, "n1", "mykey1", "myvalue1")
			c.curlGet(t, "n1", "mykey1", "myvalue1")
			c.curlPut(t, "n1", "mykey1", "myvalue2")
			c.curlGet(t, "n1", "mykey1", "myvalue2")
			c.curlPut(t, "n1", "mykey2", "gone soon")
			c.curlDelete(t, "n1", "mykey2", true)
			c.curlDelete(t, "n1", "mykey2", false)

			c.KillNode(t, "n1")
			c.StartNode(t, "n1")
			c.awaitServing(t, "n1")
			if kept {
				c.curlGet(t, "n1", "mykey1", "myvalue2")
			} else {
				c.curlMissing(t, "n1", "mykey1")
			}
			c.curlMissing(t, "n1", "mykey2")
		})
	}
}

// Several nodes, curl to each; then a gateway in front of a fixed list of them. There is no Consul.
func TestAFixedListOfNodesWorks(t *testing.T) {
	t.Parallel()
	c := NewNetwork(t, Options{Nodes: 2, Replicas: 2})
	list := []string{"n1:5000", "n2:5000"}
	gateway := c.gatewaySpec("g1")
	gateway.env = nil
	gateway.cmd = []string{"-replicas", "2", "-nodes", strings.Join(list, ",")}
	c.launch(t, fixedNode(c, "n1", list), fixedNode(c, "n2", list), gateway)
	for _, name := range []string{"n1", "n2", "g1"} {
		c.awaitServing(t, name)
	}
	c.curlPut(t, "n1", "mykey1", "myvalue1")
	c.curlPut(t, "n2", "mykey2", "myvalue2")
	for _, name := range []string{"n1", "n2", "g1"} {
		c.curlGet(t, name, "mykey1", "myvalue1")
		c.curlGet(t, name, "mykey2", "myvalue2")
	}
	c.curlPut(t, "g1", "mykey1", "myvalue3")
	c.curlGet(t, "n2", "mykey1", "myvalue3")
}

// The whole: nodes that register themselves in Consul when they start, /health-check that Consul polls, /destroy, and a
// gateway that asks no node which isn't healthy.
func TestEverySeedCommandWorks(t *testing.T) {
	t.Parallel()
	c := NewCluster(t, Options{})
	for _, id := range c.Nodes() {
		c.awaitServing(t, id)
	}
	c.expectRegistered(t, c.Nodes()...)
	for _, name := range []string{"n1", "n2", "n3", "g1"} {
		if r := c.client.Do(t.Context(), http.MethodGet, c.Address(t, name), "/health-check", nil); r.Status != 200 || len(r.Text) > 1024 {
			t.Errorf("GET /health-check on %s = %v, want 200 and a short page", name, r)
		}
	}
	c.curlPut(t, "n1", "mykey1", "myvalue1")
	c.curlPut(t, "n2", "mykey2", "myvalue2")
	c.curlGet(t, "n1", "mykey1", "myvalue1")
	c.curlGet(t, "n2", "mykey2", "myvalue2")
	c.curlPut(t, "g1", "mykey1", "myvalue3")
	for _, name := range []string{"n1", "n2", "n3", "g1"} {
		c.curlGet(t, name, "mykey1", "myvalue3")
	}
	c.curlMissing(t, "g1", "nokey")

	c.DestroyNode(t, "n2")
	c.WaitRing(t, 2)
	for i := range 50 {
		key := fmt.Sprintf("after/%d", i)
		c.curlPut(t, "g1", key, "value")
		c.curlGet(t, "g1", key, "value")
		c.curlDelete(t, "g1", key, true)
		c.curlMissing(t, "g1", key)
	}
	c.StartNode(t, "n2")
	c.WaitRing(t, 3)
	c.awaitServing(t, "n2")
	c.curlGet(t, "n2", "mykey2", "myvalue2")
}

func fixedNode(c *Cluster, id string, list []string, flags ...string) spec {
	s := c.nodeSpec(id)
	s.env = nil
	s.cmd = append([]string{"-advertise", id + ":5000", "-destroy", "any", "-replicas", fmt.Sprint(c.options.Replicas), "-nodes", strings.Join(list, ",")}, flags...)
	return s
}

// awaitServing waits until a machine takes requests for keys.
func (c *Cluster) awaitServing(t *testing.T, name string) {
	t.Helper()
	eventually(t, readyPatience, name+" serves", func() error {
		if r := c.client.Get(t.Context(), c.Address(t, name), "nobody/wrote/this"); r.Status != 404 {
			return fmt.Errorf("GET of an absent key: %v", r)
		}
		return nil
	})
}

func (c *Cluster) curlPut(t *testing.T, name, key, value string) {
	t.Helper()
	r := c.client.Put(t.Context(), c.Address(t, name), key, value)
	if r.Status != 200 || !r.Success || r.Key != key || r.Version == "" {
		t.Fatalf("PUT %s on %s = %v, want success and a version", key, name, r)
	}
}

func (c *Cluster) curlGet(t *testing.T, name, key, want string) {
	t.Helper()
	r := c.client.Get(t.Context(), c.Address(t, name), key)
	if r.Status != 200 || !r.Success || r.Key != key || r.Value != want {
		t.Fatalf("GET %s on %s = %v, want %q", key, name, r, want)
	}
}

func (c *Cluster) curlMissing(t *testing.T, name, key string) {
	t.Helper()
	r := c.client.Get(t.Context(), c.Address(t, name), key)
	if r.Status != 404 || r.Success || r.Key != key || r.Error != "not_found" {
		t.Fatalf("GET %s on %s = %v, want 404 not_found", key, name, r)
	}
}

func (c *Cluster) curlDelete(t *testing.T, name, key string, deleted bool) {
	t.Helper()
	r := c.client.Delete(t.Context(), c.Address(t, name), key)
	if r.Status != 200 || !r.Success || r.Key != key || r.Deleted != deleted {
		t.Fatalf("DELETE %s on %s = %v, want success, deleted: %v", key, name, r, deleted)
	}
}

// expectRegistered checks what Consul's UI shows of the nodes.
func (c *Cluster) expectRegistered(t *testing.T, ids ...string) {
	t.Helper()
	r := c.client.Do(t.Context(), http.MethodGet, c.Address(t, "consul1"), "/v1/health/service/ringkv-node?passing", nil)
	var entries []struct {
		Service struct {
			ID   string
			Port int
			Meta map[string]string
		}
	}
	if err := json.Unmarshal([]byte(r.Text), &entries); err != nil {
		t.Fatalf("health of the nodes: %v: %v", r, err)
	}
	seen := map[string]bool{}
	for _, e := range entries {
		id := e.Service.Meta["node_id"]
		seen[id] = e.Service.ID == "ringkv-node-"+id && e.Service.Port == 5000
	}
	for _, id := range ids {
		if !seen[id] {
			t.Errorf("%s isn't registered as it should be: %v", id, r)
		}
	}
	if len(entries) != len(ids) {
		t.Errorf("Consul has %d passing nodes, want %d", len(entries), len(ids))
	}
}

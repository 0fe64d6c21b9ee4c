//go:build integration

package integration

import (
	"encoding/json"
	"fmt"
	"net/url"
	"strings"
	"testing"
)

// consulSettings make a cluster on one machine as quick to find out as Consul can be. The bind address is a template that Consul
// itself expands; an agent that is stopped must not take its services with it.
const consulSettings = `
bind_addr = "{{ GetInterfaceIP \"eth0\" }}"
retry_interval = "1s"
leave_on_terminate = false
performance { raft_multiplier = 1 }
`

// consulEnv names the agent of a machine.
func (c *Cluster) consulEnv(id string) map[string]string {
	agent := "consul1"
	if c.options.Servers > 1 {
		agent = agentOf(id)
	}
	return map[string]string{"CONSUL_HTTP_ADDR": agent + ":8500"}
}

func agentOf(id string) string { return "agent-" + id }

func (c *Cluster) consulSpec(name string, flags ...string) spec {
	cmd := []string{"agent", "-node", name, "-data-dir", "/consul/data", "-client", "0.0.0.0", "-log-level", "warn", "-hcl", consulSettings}
	if c.options.Servers > 1 {
		for i := range c.options.Servers {
			cmd = append(cmd, "-retry-join", fmt.Sprintf("consul%d", i+1))
		}
	}
	return spec{name: name, image: c.consulImage, port: "8500/tcp", cmd: append(cmd, flags...)}
}

// StartConsul starts Consul's servers, and the agents if there are some, and returns when all of them know a leader.
func (c *Cluster) StartConsul(t testing.TB) {
	t.Helper()
	var specs []spec
	for i := range c.options.Servers {
		specs = append(specs, c.consulSpec(fmt.Sprintf("consul%d", i+1), "-server", "-ui", "-bootstrap-expect", fmt.Sprint(c.options.Servers)))
	}
	if c.options.Servers > 1 {
		for i := range c.options.Nodes {
			specs = append(specs, c.consulSpec(agentOf(fmt.Sprintf("n%d", i+1))))
		}
		for i := range c.options.Gateways {
			specs = append(specs, c.consulSpec(agentOf(fmt.Sprintf("g%d", i+1))))
		}
	}
	c.launch(t, specs...)
	for _, s := range specs {
		c.WaitLeader(t, s.name)
	}
}

// StopConsul stops one of Consul's machines. It keeps what it knows for StartConsulAgain.
func (c *Cluster) StopConsul(t testing.TB, name string) { t.Helper(); c.do(t, name, (*machine).stop) }

// KillConsul is StopConsul by SIGKILL.
func (c *Cluster) KillConsul(t testing.TB, name string) { t.Helper(); c.do(t, name, (*machine).kill) }

// StartConsulAgain starts one of Consul's machines with all that it knew, and waits until it knows a leader.
func (c *Cluster) StartConsulAgain(t testing.TB, name string) {
	t.Helper()
	c.do(t, name, (*machine).start)
	c.WaitLeader(t, name)
}

// EmptyConsul puts another Consul, which knows nothing, in the place of the only server.
func (c *Cluster) EmptyConsul(t testing.TB) {
	t.Helper()
	c.remove(t, "consul1")
	c.StartConsul(t)
}

// WaitLeader waits until one of Consul's machines knows a leader, and returns the leader's address in the network.
func (c *Cluster) WaitLeader(t testing.TB, name string) (leader string) {
	t.Helper()
	eventually(t, readyPatience, name+" knows a leader", func() error {
		r := c.client.Do(t.Context(), "GET", c.Address(t, name), "/v1/status/leader", nil)
		leader = strings.Trim(strings.TrimSpace(r.Text), `"`)
		if r.Status != 200 || leader == "" {
			return fmt.Errorf("/v1/status/leader: %v", r)
		}
		return nil
	})
	return leader
}

// checkPassing asks Consul itself how many nodes pass.
func (c *Cluster) checkPassing(t testing.TB, n int) error {
	t.Helper()
	r := c.client.Do(t.Context(), "GET", c.Address(t, "consul1"), "/v1/health/service/ringkv-node?passing", nil)
	var entries []any
	if err := json.Unmarshal([]byte(r.Text), &entries); err != nil {
		return fmt.Errorf("health of the nodes: %v: %w", r, err)
	}
	if len(entries) != n {
		return fmt.Errorf("%d of %d nodes pass", len(entries), n)
	}
	return nil
}

// checkPassingAnew asks the only server what it has found out about the nodes itself since it was started: what it tells others is
// at first what it remembers. Each node has two checks.
func (c *Cluster) checkPassingAnew(t testing.TB, n int) error {
	t.Helper()
	path := "/v1/agent/checks?filter=" + url.QueryEscape(`ServiceName == "ringkv-node" and Status == "passing"`)
	r := c.client.Do(t.Context(), "GET", c.Address(t, "consul1"), path, nil)
	var checks map[string]any
	if err := json.Unmarshal([]byte(r.Text), &checks); err != nil {
		return fmt.Errorf("checks of the nodes: %v: %w", r, err)
	}
	if len(checks) != 2*n {
		return fmt.Errorf("%d of %d checks of the nodes pass", len(checks), 2*n)
	}
	return c.checkPassing(t, n)
}

// holdPlacement keeps the nodes from agreeing on the first placement until begin is called, by holding the lock of those who
// write it. So the cluster begins with all its nodes, however slowly one of them comes up.
func (c *Cluster) holdPlacement(t testing.TB) (begin func()) {
	t.Helper()
	put := func(path, body string) (r Reply) {
		t.Helper()
		eventually(t, readyPatience, "PUT "+path, func() error { // a server that has only just started isn't registered in itself
			r = c.client.Do(t.Context(), "PUT", c.Address(t, "consul1"), path, &body)
			if r.Status != 200 || strings.TrimSpace(r.Text) == "false" {
				return fmt.Errorf("answer of Consul: %v", r)
			}
			return nil
		})
		return r
	}
	var session struct{ ID string }
	if r := put("/v1/session/create", `{"Name":"integration test"}`); json.Unmarshal([]byte(r.Text), &session) != nil {
		t.Fatalf("session of Consul = %v, want JSON with an ID", r)
	}
	const lock = "/v1/kv/ringkv/ringkv-node/keeper"
	put(lock+"?acquire="+session.ID, "an integration test")
	return func() {
		t.Helper()
		put(lock+"?release="+session.ID, "")
		put("/v1/session/destroy/"+session.ID, "")
	}
}

// Leader returns the name of the server that leads.
func (c *Cluster) Leader(t testing.TB) string {
	t.Helper()
	leader := c.WaitLeader(t, "consul1")
	for i := range c.options.Servers {
		name := fmt.Sprintf("consul%d", i+1)
		ip, err := c.machine(t, name).ctr.ContainerIP(t.Context())
		if err != nil {
			t.Fatalf("find the address of %s: %v", name, err)
		}
		if strings.HasPrefix(leader, ip+":") {
			return name
		}
	}
	t.Fatalf("the leader %s is none of the servers", leader)
	return ""
}

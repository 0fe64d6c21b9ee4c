//go:build integration

package integration

import (
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"ringkv/integration/oracle"
)

func consulStopped(t *testing.T, c *Cluster) {
	l := c.StartLoad(t, steady, "g1", "g2")
	down := l.Fault("stop Consul")
	c.StopConsul(t, "consul1")
	l.Continue(t, 3*loadRate)
	c.expectRing(t, 3)
	c.StartConsulAgain(t, "consul1")
	c.keepRing(t, l, down, 3)
	l.Continue(t, loadRate)
	l.Judge(t, Promise{})
}

// The ring is kept although Consul knows nothing any more, until the nodes have told it again.
func consulEmptied(t *testing.T, c *Cluster) {
	before, err := c.Ring(t, "g1")
	if err != nil {
		t.Fatal(err)
	}
	l := c.StartLoad(t, steady, "g1", "g2")
	c.expectRing(t, 3) // what is missing now was lost before
	down := l.Fault("restart Consul empty")
	c.EmptyConsul(t)
	c.keepRing(t, l, down, 3)
	l.Continue(t, 2*loadRate)
	c.WaitRing(t, 3)
	after, err := c.Ring(t, "g1")
	if err != nil || after.Generation < before.Generation {
		t.Errorf("generation = %d (%v), want %d or later: it must not go back", after.Generation, err, before.Generation)
	}
	l.Judge(t, Promise{})
}

// expectRing fails the test if a ring isn't as large as it has to stay.
func (c *Cluster) expectRing(t *testing.T, n int) {
	t.Helper()
	for g, problem := range c.wrongRings(t, n) {
		t.Errorf("%s; %s", problem, c.saidOfMembers(t, g))
	}
}

// lateAnswer is when a gateway no longer waits for a node, which Consul doesn't list, to say itself that it is there.
const lateAnswer = time.Second

// keepRing fails the test if a ring isn't as large as it has to stay at any time until Consul, which was taken down then, has checked all nodes
// anew. What is wrong is told once, and not each time that it's seen. Where the machine stood still for so long that no node can have
// answered, a gateway is right to let one go, until Consul lists it again.
func (c *Cluster) keepRing(t *testing.T, l *Load, down oracle.Fault, n int) {
	t.Helper()
	began := time.Now()
	told := map[string]bool{}
	eventually(t, readyPatience, "Consul has checked all nodes anew", func() error {
		for g, problem := range c.wrongRings(t, n) {
			if told[problem] {
				continue
			}
			told[problem] = true
			complain := t.Errorf
			if _, longest := l.Stalled(down.At); longest > lateAnswer {
				t.Logf("the machine stood still for %v, so this is no error:", longest)
				complain = t.Logf
			}
			complain("%v after Consul had a leader again: %s; %s", time.Since(began).Round(time.Millisecond), problem, c.saidOfMembers(t, g))
		}
		return c.checkPassingAnew(t, n)
	})
	t.Logf("Consul had checked all nodes anew after %v", time.Since(began).Round(time.Millisecond))
	c.WaitRing(t, n)
}

// wrongRings says of each gateway whose ring hasn't n nodes which ones those are.
func (c *Cluster) wrongRings(t *testing.T, n int) map[string]string {
	t.Helper()
	wrong := map[string]string{}
	for _, g := range []string{"g1", "g2"} {
		ring, err := c.Ring(t, g)
		if err != nil || len(ring.Nodes) != n {
			wrong[g] = fmt.Sprintf("ring of %s = %v, away %v (%v), want %d nodes", g, ring.IDs(), ring.Away, err, n)
		}
	}
	return wrong
}

// saidOfMembers is what a machine has logged last about Consul and who passes there.
func (c *Cluster) saidOfMembers(t *testing.T, name string) string {
	t.Helper()
	text, err := c.machine(t, name).log(t.Context())
	if err != nil {
		return err.Error()
	}
	var lines []string
	for line := range strings.Lines(text) {
		if strings.Contains(line, "Consul") || strings.Contains(line, "membership") || strings.Contains(line, "ring changed") {
			lines = append(lines, line)
		}
	}
	const most = 12
	return fmt.Sprintf("the last of what %s logged about it, at %s:\n%s", name, time.Now().UTC().Format(time.RFC3339Nano),
		strings.Join(lines[max(0, len(lines)-most):], ""))
}

func gatewayStartedBlind(t *testing.T, c *Cluster) {
	l := c.StartLoad(t, steady, "g1", "g2")
	down := l.Fault("stop Consul")
	c.StopConsul(t, "consul1")
	c.StartGateway(t, "g3")
	g3 := c.Address(t, "g3")
	eventually(t, readyPatience, "g3 is alive", func() error {
		if r := c.client.Do(t.Context(), http.MethodGet, g3, "/livez", nil); r.Status != 200 {
			return fmt.Errorf("/livez: %v", r)
		}
		return nil
	})
	for path, want := range map[string]string{"/readyz": "", "/ring": "no_ring", "/kv/some": "no_ring"} {
		if r := c.client.Do(t.Context(), http.MethodGet, g3, path, nil); r.Status != 503 || r.Error != want {
			t.Errorf("GET %s without a ring = %v, want 503 %s", path, r, want)
		}
	}
	if r := c.client.Put(t.Context(), g3, "some", "value"); r.Status != 503 || r.Error != "no_ring" || r.Outcome != "none" {
		t.Errorf("PUT without a ring = %v, want 503 no_ring, outcome none", r)
	}
	c.StartConsulAgain(t, "consul1")
	c.keepRing(t, l, down, 3)
	l.Continue(t, loadRate)
	l.Judge(t, Promise{})
	c.RemoveGateway(t, "g3")
}

// Three servers, and an agent beside each node and gateway: what restarts and elections do to those who watch.
func TestReadsAndWritesSurviveInAClusterOfConsul(t *testing.T) {
	t.Parallel()
	c := NewCluster(t, Options{Gateways: 2, Servers: 3})
	t.Run("two gateways agree", func(t *testing.T) { gatewaysAgree(t, c) })
	t.Run("the leader of Consul killed", func(t *testing.T) {
		l := c.StartLoad(t, steady, "g1", "g2")
		leader := c.Leader(t)
		l.Fault("kill %s, the leader", leader)
		c.KillConsul(t, leader)
		l.Continue(t, 4*loadRate)
		c.expectRing(t, 3)
		c.StartConsulAgain(t, leader)
		c.WaitRing(t, 3)
		l.Judge(t, Promise{})
	})
	for _, how := range []struct {
		name string
		end  func(*Cluster, testing.TB, string)
	}{{"stopped", (*Cluster).StopConsul}, {"killed", (*Cluster).KillConsul}} {
		t.Run("agents "+how.name+" and started again", func(t *testing.T) {
			l := c.StartLoad(t, steady, "g1", "g2")
			for _, id := range []string{"n1", "g1"} {
				l.Fault("%s the agent of %s", how.name, id)
				how.end(c, t, agentOf(id))
				l.Continue(t, loadRate)
				c.StartConsulAgain(t, agentOf(id))
				c.WaitRing(t, 3)
				l.Continue(t, loadRate)
			}
			l.Judge(t, Promise{})
		})
	}
	t.Run("a node killed while Consul has no leader", func(t *testing.T) {
		l := c.StartLoad(t, steady, "g1", "g2")
		leader := c.Leader(t)
		l.Fault("kill %s, the leader, and n2", leader)
		c.KillConsul(t, leader)
		c.KillNode(t, "n2")
		l.Continue(t, 2*loadRate)
		c.StartConsulAgain(t, leader)
		c.StartNode(t, "n2")
		c.WaitRing(t, 3)
		l.Judge(t, Promise{})
	})
}

// Two gateways that never talk to each other name the same owners, in the same order, for every key.
func gatewaysAgree(t *testing.T, c *Cluster) {
	first := map[string]int{}
	for i := range 200 {
		key := fmt.Sprintf("agree/%d", i)
		one, two := strings.Join(c.OwnersOf(t, "g1", key), " "), strings.Join(c.OwnersOf(t, "g2", key), " ")
		if one != two || len(strings.Fields(one)) != 3 {
			t.Errorf("owners of %q = %q by g1, %q by g2, want the same three", key, one, two)
		}
		first[strings.Fields(one + " none")[0]]++
	}
	if len(first) != 3 {
		t.Errorf("first owners of 200 keys = %v, want all three nodes among them", first)
	}
}

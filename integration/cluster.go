//go:build integration

package integration

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/testcontainers/testcontainers-go"
	"github.com/testcontainers/testcontainers-go/network"

	"ringkv/integration/load"
)

// Options say what a Cluster is made of. Zero fields mean 3 nodes, 1 gateway, 3 copies, 1 Consul server.
type Options struct {
	Nodes    int
	Gateways int
	Replicas int
	// Servers is 1, which is the agent of all nodes and gateways too, or 3: then each node has a client agent of its own
	// beside it, and so has each gateway.
	Servers int
	// NodeFlags are flags of all nodes, besides those that every cluster has.
	NodeFlags []string
}

func (o Options) withDefaults() Options {
	for field, value := range map[*int]int{&o.Nodes: 3, &o.Gateways: 1, &o.Replicas: 3, &o.Servers: 1} {
		if *field == 0 {
			*field = value
		}
	}
	return o
}

// How long a cluster may take. These are for a machine with other work to do; what is promised is asserted by the tests.
const (
	readyPatience = 60 * time.Second // from an event until everything has settled
	verbPatience  = 60 * time.Second // one verb
)

// A Cluster is Consul, nodes n1, n2 and so on, and gateways g1, g2 and so on, on a network of their own. Its methods may be
// called concurrently, each from the goroutine of the test that it's given, and fail that test if what they say can't be
// done. All of it is removed when the test that made it ends.
type Cluster struct {
	owner       testing.TB // when it ends, so does the cluster
	docker      *testcontainers.DockerClient
	net         *testcontainers.DockerNetwork
	consulImage string
	options     Options
	client      *Client

	mu       sync.Mutex // guards machines and loads
	machines map[string]*machine
	loads    []*Load // all that were put on it
}

// NewNetwork returns a cluster with nothing in it yet: for tests in which the order of starting matters.
func NewNetwork(t testing.TB, o Options) *Cluster {
	t.Helper()
	docker := newDocker(t)
	image, err := consulImage(t.Context(), docker)
	if err != nil {
		t.Fatal(err)
	}
	net, err := network.New(t.Context(), network.WithLabels(labels()))
	testcontainers.CleanupNetwork(t, net)
	if err != nil {
		t.Fatalf("create a network: %v", err)
	}
	return &Cluster{
		owner: t, docker: docker, net: net, consulImage: image, options: o.withDefaults(),
		client: load.NewClient(t), machines: map[string]*machine{},
	}
}

// NewCluster starts a cluster, and returns when each gateway has all nodes on its ring.
func NewCluster(t testing.TB, o Options) *Cluster {
	t.Helper()
	c := NewNetwork(t, o)
	c.StartConsul(t)
	begin := c.holdPlacement(t)
	var specs []spec
	for i := range c.options.Nodes {
		specs = append(specs, c.nodeSpec(fmt.Sprintf("n%d", i+1)))
	}
	for i := range c.options.Gateways {
		specs = append(specs, c.gatewaySpec(fmt.Sprintf("g%d", i+1)))
	}
	c.launch(t, specs...)
	eventually(t, readyPatience, "all nodes pass", func() error { return c.checkPassing(t, c.options.Nodes) })
	begin()
	c.WaitRing(t, c.options.Nodes)
	return c
}

// launch starts machines side by side.
func (c *Cluster) launch(t testing.TB, specs ...spec) {
	t.Helper()
	failed := make([]error, len(specs))
	var wg sync.WaitGroup
	for i, s := range specs {
		wg.Go(func() {
			m, err := launch(t.Context(), c.owner, c.docker, c.net, s)
			if failed[i] = err; err == nil {
				c.mu.Lock()
				defer c.mu.Unlock()
				c.machines[s.name] = m
			}
		})
	}
	wg.Wait()
	if err := errors.Join(failed...); err != nil {
		t.Fatal(err)
	}
}

func (c *Cluster) nodeSpec(id string, flags ...string) spec {
	return spec{
		name: id, image: nodeImage, port: "5000/tcp", env: c.consulEnv(id),
		cmd: slices.Concat([]string{"-id", id, "-advertise", id + ":5000", "-destroy", "any", "-replicas", fmt.Sprint(c.options.Replicas)},
			c.options.NodeFlags, flags),
	}
}

func (c *Cluster) gatewaySpec(id string) spec {
	return spec{
		name: id, image: gatewayImage, port: "8001/tcp", env: c.consulEnv(id),
		cmd: []string{"-advertise", id + ":8001", "-replicas", fmt.Sprint(c.options.Replicas)},
	}
}

// StartNode starts the node of that id again, with its data, or a new one.
func (c *Cluster) StartNode(t testing.TB, id string) { t.Helper(); c.startOrLaunch(t, c.nodeSpec(id)) }

// StartGateway is StartNode for a gateway.
func (c *Cluster) StartGateway(t testing.TB, id string) {
	t.Helper()
	c.startOrLaunch(t, c.gatewaySpec(id))
}

func (c *Cluster) startOrLaunch(t testing.TB, s spec) {
	t.Helper()
	c.mu.Lock()
	m := c.machines[s.name]
	c.mu.Unlock()
	if m == nil {
		c.launch(t, s)
		return
	}
	c.do(t, s.name, (*machine).start)
}

// KillNode is SIGKILL.
func (c *Cluster) KillNode(t testing.TB, id string) { t.Helper(); c.do(t, id, (*machine).kill) }

// PauseNode freezes a node: its connections stay open, and nothing answers.
func (c *Cluster) PauseNode(t testing.TB, id string) { t.Helper(); c.do(t, id, (*machine).pause) }

// ResumeNode ends PauseNode.
func (c *Cluster) ResumeNode(t testing.TB, id string) { t.Helper(); c.do(t, id, (*machine).resume) }

// CutOffNode takes a node off the network.
func (c *Cluster) CutOffNode(t testing.TB, id string) { t.Helper(); c.do(t, id, (*machine).cutOff) }

// RejoinNode ends CutOffNode.
func (c *Cluster) RejoinNode(t testing.TB, id string) { t.Helper(); c.do(t, id, (*machine).rejoin) }

// StopNode is SIGTERM, and waiting for the end.
func (c *Cluster) StopNode(t testing.TB, id string) { t.Helper(); c.do(t, id, (*machine).stop) }

// RemoveNode kills a node and throws its disk away: StartNode starts another one of that id.
func (c *Cluster) RemoveNode(t testing.TB, id string) { t.Helper(); c.remove(t, id) }

// RemoveGateway kills a gateway and leaves it out of everything that is asked of all of them.
func (c *Cluster) RemoveGateway(t testing.TB, id string) { t.Helper(); c.remove(t, id) }

func (c *Cluster) remove(t testing.TB, name string) {
	t.Helper()
	c.do(t, name, (*machine).remove)
	c.Forget(name)
}

// DestroyNode is `curl -X POST node/destroy`, and waiting until the process is gone. It returns when that was.
func (c *Cluster) DestroyNode(t testing.TB, id string) (ended time.Time) {
	t.Helper()
	if r := c.client.Do(t.Context(), "POST", c.Address(t, id), "/destroy", nil); r.Status != 202 {
		t.Fatalf("POST /destroy on %s = %v, want 202", id, r)
	}
	c.do(t, id, func(m *machine, ctx context.Context) (err error) {
		ended, err = m.awaitExit(ctx)
		return err
	})
	return ended
}

// LeaveNode is `curl -X POST node/leave`, and waiting until the process has ended by itself. It returns with which status.
func (c *Cluster) LeaveNode(t testing.TB, id string) (status int64) {
	t.Helper()
	if r := c.client.Do(t.Context(), "POST", c.Address(t, id), "/leave", nil); r.Status != 202 {
		t.Fatalf("POST /leave on %s = %v, want 202", id, r)
	}
	return c.ExitStatus(t, id)
}

// ExitStatus waits until a machine has ended, and returns with which status.
func (c *Cluster) ExitStatus(t testing.TB, name string) (status int64) {
	t.Helper()
	c.do(t, name, func(m *machine, ctx context.Context) (err error) {
		status, err = m.exitStatus(ctx)
		return err
	})
	return status
}

// Forget leaves a machine out of everything that is asked of all of them. It stays as it is until the cluster ends.
func (c *Cluster) Forget(name string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	delete(c.machines, name)
}

// RestartNode stops a node in good order, starts it again, and waits until the ring has n nodes.
func (c *Cluster) RestartNode(t testing.TB, id string, n int) {
	t.Helper()
	c.StopNode(t, id)
	c.StartNode(t, id)
	c.WaitRing(t, n)
}

// Address returns the host:port at which a machine is reached from here.
func (c *Cluster) Address(t testing.TB, name string) string {
	t.Helper()
	return c.machine(t, name).address()
}

func (c *Cluster) machine(t testing.TB, name string) *machine {
	t.Helper()
	c.mu.Lock()
	defer c.mu.Unlock()
	m := c.machines[name]
	if m == nil {
		t.Fatalf("there is no %s in this cluster", name)
	}
	return m
}

func (c *Cluster) do(t testing.TB, name string, verb func(*machine, context.Context) error) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), verbPatience)
	defer cancel()
	if err := verb(c.machine(t, name), ctx); err != nil {
		t.Fatal(err)
	}
}

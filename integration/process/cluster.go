//go:build integration && linux

package process

import (
	"cmp"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"

	"ringkv/hashring/membership/consultest"
	"ringkv/integration/load"
)

// Options say what a Cluster is made of. Zero fields mean 3 nodes, 1 gateway, 3 copies.
type Options struct {
	Nodes    int
	Gateways int
	Replicas int
	// Data returns the data directory of a node; nil, or an empty one, means a temporary one.
	Data func(id string) string
	// NodeProgram is kvnode, or kvnode-faults, which dies where its environment says.
	NodeProgram string
	NodeEnv     []string // what each node has in its environment
	// NodeFiles is how many descriptors a node may have; 0 is what the test may.
	NodeFiles int
	// Grouped runs each process under a group id of its own, by which firewall rules tell them apart.
	Grouped bool
}

func (o Options) withDefaults() Options {
	for field, value := range map[*int]int{&o.Nodes: 3, &o.Gateways: 1, &o.Replicas: 3} {
		if *field == 0 {
			*field = value
		}
	}
	o.NodeProgram = cmp.Or(o.NodeProgram, "kvnode")
	return o
}

// A Cluster is Consul, nodes n1, n2 and so on, and gateways g1, g2 and so on. Its methods fail the test they are given if
// what they say can't be done. All of it ends with the test that made it.
type Cluster struct {
	Consul *consultest.Agent

	owner   testing.TB
	dir     string
	options Options
	client  *load.Client

	mu        sync.Mutex // guards processes
	processes map[string]*process
}

// NewCluster starts a cluster, and returns when it is whole.
func NewCluster(t testing.TB, o Options) *Cluster {
	t.Helper()
	c := &Cluster{
		Consul: consultest.StartDurable(t), owner: t, dir: t.TempDir(), options: o.withDefaults(),
		client: load.NewClient(t), processes: map[string]*process{},
	}
	for i := range c.options.Nodes {
		c.StartNode(t, fmt.Sprintf("n%d", i+1))
	}
	for i := range c.options.Gateways {
		c.StartGateway(t, fmt.Sprintf("g%d", i+1))
	}
	c.WaitWhole(t)
	return c
}

// NodeData returns where a node keeps its data.
func (c *Cluster) NodeData(id string) string {
	if c.options.Data != nil {
		if dir := c.options.Data(id); dir != "" {
			return dir
		}
	}
	return filepath.Join(c.dir, id)
}

// StartNode starts the node of that id, with the data that it has, and with this in its environment for once.
func (c *Cluster) StartNode(t testing.TB, id string, env ...string) {
	t.Helper()
	c.start(t, id, func() *process {
		p := c.make(t, id, c.options.NodeProgram, "-id", id, "-data", c.NodeData(id), "-destroy", "any")
		p.files, p.env = c.options.NodeFiles, append(p.env, c.options.NodeEnv...)
		return p
	}, env...)
}

// StartGateway starts a gateway.
func (c *Cluster) StartGateway(t testing.TB, name string) {
	t.Helper()
	c.start(t, name, func() *process { return c.make(t, name, "kvgateway") })
}

// start starts what has that name, after making it if it's new.
func (c *Cluster) start(t testing.TB, name string, make func() *process, env ...string) {
	t.Helper()
	c.mu.Lock()
	p := c.processes[name]
	if p == nil {
		p = make()
		c.processes[name] = p
	}
	c.mu.Unlock()
	if err := p.start(env...); err != nil {
		t.Fatal(err)
	}
}

func (c *Cluster) make(t testing.TB, name, binary string, flags ...string) *process {
	t.Helper()
	addr := "127.0.0.1:" + consultest.FreePorts(t, 1)[0]
	p := &process{
		name: name, addr: addr, path: program(binary), log: filepath.Join(c.dir, name+".log"),
		args: append([]string{"-addr", addr, "-advertise", addr, "-replicas", fmt.Sprint(c.options.Replicas)}, flags...),
		env:  []string{"CONSUL_HTTP_ADDR=" + c.Consul.Addr},
	}
	if c.options.Grouped {
		p.group = firstGroup + uint32(len(c.processes))
	}
	c.owner.Cleanup(func() { p.discard(c.owner) })
	return p
}

// firstGroup is above the groups that systems have.
const firstGroup = 70000

// KillNode is SIGKILL. KillGateway too.
func (c *Cluster) KillNode(t testing.TB, id string) { t.Helper(); c.end(t, id, syscall.SIGKILL) }

// KillGateway is SIGKILL.
func (c *Cluster) KillGateway(t testing.TB, name string) { t.Helper(); c.end(t, name, syscall.SIGKILL) }

// KillAllNodes kills them at once: none has ended before each has got the signal.
func (c *Cluster) KillAllNodes(t testing.TB) {
	t.Helper()
	for _, id := range c.Nodes() {
		if err := c.process(t, id).signal(syscall.SIGKILL); err != nil {
			t.Fatal(err)
		}
	}
	for _, id := range c.Nodes() {
		c.KillNode(t, id)
	}
}

// StopNode is SIGTERM, and waiting for the end.
func (c *Cluster) StopNode(t testing.TB, id string) { t.Helper(); c.end(t, id, syscall.SIGTERM) }

// Pause freezes a node or a gateway: its connections stay open, and nothing answers.
func (c *Cluster) Pause(t testing.TB, name string) { t.Helper(); c.signal(t, name, syscall.SIGSTOP) }

// Resume ends Pause.
func (c *Cluster) Resume(t testing.TB, name string) { t.Helper(); c.signal(t, name, syscall.SIGCONT) }

// DestroyNode is `curl -X POST node/destroy`, and waiting until the process is gone. Where no answer comes, it's KillNode.
func (c *Cluster) DestroyNode(t testing.TB, id string) {
	t.Helper()
	r := c.client.Do(t.Context(), "POST", c.Address(t, id), "/destroy", nil)
	if r.Err != nil { // another fault loses the answers of this node, and so the connection that the question needs: it may never have come
		c.KillNode(t, id)
		return
	}
	if r.Status != 202 {
		t.Fatalf("POST /destroy on %s = %v, want 202", id, r)
	}
	if err := c.process(t, id).awaitExit(); err != nil {
		t.Fatal(err)
	}
}

// WipeNode throws the data of a dead node away.
func (c *Cluster) WipeNode(t testing.TB, id string) {
	t.Helper()
	if err := os.RemoveAll(c.NodeData(id)); err != nil {
		t.Fatal(err)
	}
}

// holdConnections opens idle connections to a node or a gateway.
func (c *Cluster) holdConnections(t testing.TB, name string, n int) (held []net.Conn) {
	t.Helper()
	for range n {
		conn, err := net.Dial("tcp", c.Address(t, name))
		if err != nil {
			t.Fatal(err)
		}
		held = append(held, conn)
	}
	return held
}

func (c *Cluster) end(t testing.TB, name string, s syscall.Signal) {
	t.Helper()
	if err := c.process(t, name).end(s); err != nil {
		t.Fatal(err)
	}
}

func (c *Cluster) signal(t testing.TB, name string, s syscall.Signal) {
	t.Helper()
	if err := c.process(t, name).signal(s); err != nil {
		t.Fatal(err)
	}
}

func (c *Cluster) process(t testing.TB, name string) *process {
	t.Helper()
	c.mu.Lock()
	defer c.mu.Unlock()
	p := c.processes[name]
	if p == nil {
		t.Fatalf("there is no %s in this cluster", name)
	}
	return p
}

// Address implements load.Target.
func (c *Cluster) Address(t testing.TB, name string) string {
	t.Helper()
	return c.process(t, name).addr
}

// Replicas implements load.Target.
func (c *Cluster) Replicas() int { return c.options.Replicas }

// Gateways implements load.Target.
func (c *Cluster) Gateways() []string { return c.named("g") }

// Nodes implements load.Target.
func (c *Cluster) Nodes() []string { return c.named("n") }

func (c *Cluster) named(prefix string) (names []string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for name := range c.processes {
		if strings.HasPrefix(name, prefix) {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	return names
}

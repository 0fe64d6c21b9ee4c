package coordinator_test

import (
	"context"
	"fmt"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"ringkv/gateway/coordinator"
	"ringkv/hashring"
	"ringkv/hashring/membership"
	"ringkv/hashring/placement"
	"ringkv/node/record"
	"ringkv/node/replica"
	"ringkv/node/store"
	"ringkv/node/store/memstore"
	"ringkv/node/wire"
)

// A cluster is real replicas and coordinators with a network between them that a test can disturb. It lives in a
// synctest bubble, so its time is fake.
type cluster struct {
	t     *testing.T
	ids   []string
	nodes map[string]*testNode
	doc   *placement.Document
	view  atomic.Pointer[placement.View] // the newest one, and that of all who have none of their own
	moves moves

	mu  sync.Mutex // guards rng
	rng *rand.Rand

	messages sync.WaitGroup
}

// A testNode is one node and how the network treats it.
type testNode struct {
	id    string
	clock *testClock
	view  atomic.Pointer[placement.View] // nil: the cluster's
	wake  chan struct{}                  // has Settle look at the view

	store store.Store // changed while the node is down
	disk  int         // so many were wiped before this one

	mu      sync.Mutex // guards the rest
	replica wire.Handler
	real    *replica.Replica
	stop    func()
	down    bool          // refuses connections
	mute    bool          // its answers are lost
	deaf    bool          // requests to it are lost
	delay   time.Duration // of each message, besides the network's own
	silent  bool          // what Silent says of it
	life    int           // counts restarts: answers of an earlier life are lost
	got     map[wire.Op]int
}

type testClock struct{ skew atomic.Int64 }

func (c *testClock) now() time.Time { return time.Now().Add(time.Duration(c.skew.Load())) }

func newCluster(t *testing.T, seed uint64, replicas int, ids ...string) *cluster {
	t.Helper()
	c := &cluster{t: t, nodes: map[string]*testNode{}, rng: rand.New(rand.NewPCG(seed, 1))}
	for _, id := range ids {
		c.add(id)
	}
	doc, err := placement.First(c.placed(ids), replicas, "test")
	if err != nil {
		t.Fatal(err)
	}
	c.doc = doc
	c.passing(ids...)
	for _, id := range ids {
		c.start(id)
	}
	t.Cleanup(func() {
		c.messages.Wait()
		for _, n := range c.nodes {
			n.stop()
		}
		c.messages.Wait() // of nodes, sent meanwhile
	})
	return c
}

// add makes a node, which is down.
func (c *cluster) add(id string) {
	c.ids = append(c.ids, id)
	c.nodes[id] = &testNode{id: id, store: memstore.Open(), clock: new(testClock), wake: make(chan struct{}, 1), down: true, got: map[wire.Op]int{}}
}

// placed returns the nodes as a placement names them.
func (c *cluster) placed(ids []string) (nodes []placement.Node) {
	for _, id := range ids {
		nodes = append(nodes, placement.Node{ID: id, Weight: 1, Disk: c.nodes[id].diskName()})
	}
	return nodes
}

func (n *testNode) diskName() string { return fmt.Sprint("disk", n.disk) }

// passing makes a view in which just these nodes pass.
func (c *cluster) passing(ids ...string) {
	c.t.Helper()
	c.view.Store(c.viewOf(ids))
}

// viewOf returns the view of the present document in which just these nodes pass.
func (c *cluster) viewOf(ids []string) *placement.View {
	c.t.Helper()
	snap := &membership.Snapshot{Changed: time.Now()}
	for _, id := range ids {
		snap.Members = append(snap.Members, membership.Member{Member: hashring.Member{ID: id, Weight: 1}, Disk: c.nodes[id].diskName(), Addr: id + ":1"})
	}
	view, err := placement.NewView(c.doc, snap)
	if err != nil {
		c.t.Fatal(err)
	}
	return view
}

// start starts a node, or starts it again over what its store has kept.
func (c *cluster) start(id string) {
	c.t.Helper()
	n := c.nodes[id]
	view := func() *placement.View {
		if v := n.view.Load(); v != nil {
			return v
		}
		return c.view.Load()
	}
	r, err := replica.New(n.store, replica.Options{ID: id, Disk: n.diskName(), Now: n.clock.now, View: view, Peers: c})
	if err != nil {
		c.t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	var running sync.WaitGroup
	running.Go(func() { r.Run(ctx) })
	running.Go(func() { r.Settle(ctx, n.wake) })
	if err := r.Learn(ctx, c.view.Load()); err != nil {
		c.t.Fatal(err)
	}
	n.mu.Lock()
	defer n.mu.Unlock()
	n.replica, n.real, n.down = r, r, false
	n.stop = func() { cancel(); running.Wait() }
}

// kill ends a node: what it was about to answer is lost.
func (c *cluster) kill(id string) {
	n := c.nodes[id]
	n.mu.Lock()
	n.down, n.life = true, n.life+1
	n.mu.Unlock()
	n.stop()
}

func (c *cluster) set(id string, change func(*testNode)) {
	n := c.nodes[id]
	n.mu.Lock()
	defer n.mu.Unlock()
	change(n)
}

// coordinator returns one whose clock is off by skew.
func (c *cluster) coordinator(writer uint64, skew time.Duration, opt coordinator.Options) *coordinator.Coordinator {
	c.t.Helper()
	clock := record.NewClock(func() time.Time { return time.Now().Add(skew) }, writer, 5*time.Second)
	co, err := coordinator.New(c.view.Load, c, clock, opt)
	if err != nil {
		c.t.Fatal(err)
	}
	return co
}

// Silent implements coordinator.Peers.
func (c *cluster) Silent(id string) bool {
	n := c.nodes[id]
	n.mu.Lock()
	defer n.mu.Unlock()
	return n.silent
}

// Send implements coordinator.Peers.
func (c *cluster) Send(id, addr string, req *wire.Request, deadline time.Time, to chan<- wire.Reply) {
	n := c.nodes[id]
	n.mu.Lock()
	n.got[req.Op]++
	down := n.down
	n.mu.Unlock()
	if down {
		to <- wire.Reply{Node: id, Err: fmt.Errorf("refused the connection: %w", wire.ErrNotSent)}
		return
	}
	var once sync.Once
	reply := func(r wire.Reply) {
		once.Do(func() {
			r.Node = id
			select {
			case to <- r:
			default:
				c.t.Errorf("there is no room for the reply of %s", id)
			}
		})
	}
	late := time.AfterFunc(time.Until(deadline), func() {
		reply(wire.Reply{Err: fmt.Errorf("timed out: %w", wire.ErrNoAnswer)})
	})
	c.messages.Go(func() {
		c.travel(n)
		n.mu.Lock()
		r, lost, life := n.replica, n.down || n.deaf, n.life
		n.mu.Unlock()
		if lost {
			return
		}
		c.messages.Add(1) // until the answer is there, however late
		r.Handle(req, func(resp wire.Response) {
			c.messages.Go(func() {
				defer c.messages.Done()
				c.travel(n)
				n.mu.Lock()
				lost := n.down || n.mute || n.life != life || resp.Status == 0
				n.mu.Unlock()
				if !lost {
					late.Stop()
					reply(wire.Reply{Response: resp})
				}
			})
		})
	})
}

// travel lets a message take its time.
func (c *cluster) travel(n *testNode) {
	c.mu.Lock()
	d := time.Duration(c.rng.ExpFloat64() * float64(400*time.Microsecond))
	c.mu.Unlock()
	n.mu.Lock()
	d += n.delay
	n.mu.Unlock()
	time.Sleep(d) // fake time
}

// settledState says how the node stands to a slot.
func (n *testNode) settledState(slot int) string {
	n.mu.Lock()
	defer n.mu.Unlock()
	return n.real.SlotState(slot)
}

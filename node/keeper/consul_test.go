package keeper

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/hashicorp/consul/api"

	"ringkv/hashring"
	"ringkv/hashring/following"
	"ringkv/hashring/membership"
	"ringkv/hashring/membership/consultest"
	"ringkv/hashring/placement"
)

const service = "ringkv-node"

// await polls until ok, and fails the test if that takes longer than limit.
func await(t *testing.T, limit time.Duration, what string, ok func() bool) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), limit)
	defer cancel()
	for !ok() {
		if following.Pause(ctx, 20*time.Millisecond); ctx.Err() != nil {
			t.Fatalf("no %s within %v", what, limit)
		}
	}
}

// A process is what a node runs of all this, without the node.
type process struct {
	id     string
	docs   *placement.Watcher
	views  *placement.Views
	keeper *Keeper
	stop   func()
}

// A cluster is some processes on one Consul.
type cluster struct {
	t      *testing.T
	client *api.Client
	mu     sync.Mutex // guards nodes
	nodes  map[string]*process
}

func (c *cluster) register(id, disk string) {
	c.t.Helper()
	err := c.client.Agent().ServiceRegister(&api.AgentServiceRegistration{
		ID: service + "-" + id, Name: service, Address: "127.0.0.1", Port: 5000 + int(id[0]),
		Meta:  map[string]string{"node_id": id, "disk": disk, "replicas": "3"},
		Check: &api.AgentServiceCheck{CheckID: service + "-" + id, TTL: "10m", Status: api.HealthPassing},
	})
	if err != nil {
		c.t.Fatal(err)
	}
}

// start runs a process called id.
func (c *cluster) start(id string) *process {
	c.t.Helper()
	log := slog.New(slog.NewTextHandler(c.t.Output(), nil)).With("process", id)
	docs, err := placement.NewWatcher(placement.WatcherOptions{
		Query:    placement.NewConsulQuery(c.client, placement.Key(service)),
		Replicas: 3, Log: log,
	})
	if err != nil {
		c.t.Fatal(err)
	}
	silent := func(context.Context, membership.Member) error { return errors.New("nothing listens") }
	members := membership.NewWatcher(membership.NewConsulQuery(c.client, service), silent, membership.Options{Log: log})
	p := &process{id: id, docs: docs}
	p.views = placement.NewViews(placement.ViewsOptions{Documents: docs, Members: members, Log: log})
	p.keeper = New(Options{
		Lock: NewConsulLock(c.client, LockKey(service), id), Key: NewConsulKey(c.client, placement.Key(service)),
		Members: members, Replicas: 3, Remembered: c.remembered, LastOutage: docs.LastOutage, Log: log,
		Own: docs.Document,
	})
	ctx, cancel := context.WithCancel(context.Background())
	var running sync.WaitGroup
	for _, run := range []func(context.Context) error{docs.Run, members.Run, p.views.Run, p.keeper.Run} {
		running.Go(func() {
			if err := run(ctx); err != nil {
				c.t.Errorf("%s: %v", id, err)
			}
		})
	}
	p.stop = sync.OnceFunc(func() { cancel(); running.Wait() })
	c.t.Cleanup(p.stop)
	c.mu.Lock()
	defer c.mu.Unlock()
	c.nodes[id] = p
	return p
}

// remembered answers for all nodes that are only registered as the first process does.
func (c *cluster) remembered(_ context.Context, m membership.Member) (*placement.Document, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	return cmp.Or(c.nodes[m.ID], c.nodes["a"]).docs.Document(), nil
}

func (c *cluster) await(p *process, generation uint64, nodes string) {
	c.t.Helper()
	await(c.t, 20*time.Second, fmt.Sprintf("generation %d with %s at %s", generation, nodes, p.id), func() bool {
		v := p.views.View()
		if v == nil || v.Generation() != generation {
			return false
		}
		var ids []string
		for _, n := range v.Nodes() {
			ids = append(ids, n.ID+"/"+n.Disk)
		}
		return strings.Join(ids, " ") == nodes
	})
}

// TestPlacementOnConsul goes through a placement's life on a real Consul, with two keepers.
func TestPlacementOnConsul(t *testing.T) {
	c := &cluster{t: t, client: consultest.Start(t).Client, nodes: map[string]*process{}}
	c.register("a", "1")
	c.register("b", "1")
	a, b := c.start("a"), c.start("b")
	c.await(a, 0, "a/1 b/1")
	c.await(b, 0, "a/1 b/1")

	c.register("c", "1")
	c.register("d", "1")
	c.await(a, 1, "a/1 b/1 c/1 d/1")

	if _, err := c.client.KV().Delete(placement.Key(service), nil); err != nil {
		t.Fatal(err)
	}
	c.await(b, 2, "a/1 b/1 c/1 d/1")
	for slot := range hashring.Slots {
		if got := b.views.View().Config(slot).Generation; got > 1 {
			t.Fatalf("slot %d has a config of generation %d, want the one from before the placement was lost", slot, got)
		}
	}

	await(t, 20*time.Second, "single holder of the lock", func() bool {
		return a.keeper.Status().Holding != b.keeper.Status().Holding
	})
	holder, other := a, b
	if b.keeper.Status().Holding {
		holder, other = b, a
	}
	holder.stop()
	c.register("c", "2")
	c.await(other, 3, "a/1 b/1 c/2 d/1")
	if got := len(other.views.View().Away()); got != 0 {
		t.Errorf("%d nodes are away, want none", got)
	}
}

// TestConsulLock takes the lock from hand to hand on a real Consul.
func TestConsulLock(t *testing.T) {
	client := consultest.Start(t).Client
	ctx, cancel := context.WithCancel(context.Background())
	var running sync.WaitGroup
	defer running.Wait()
	defer cancel()
	type event struct {
		who  string
		held bool
	}
	events := make(chan event, 100)
	release := map[string]chan struct{}{"x": make(chan struct{}), "y": make(chan struct{})}
	for who := range release {
		lock := NewConsulLock(client, LockKey(service), who)
		running.Go(func() {
			for ctx.Err() == nil {
				err := lock.Hold(ctx, func(ctx context.Context) {
					events <- event{who, true}
					select {
					case <-ctx.Done():
					case <-release[who]:
					}
					events <- event{who, false}
				})
				if err != nil && ctx.Err() == nil {
					t.Logf("%s: %v", who, err)
					following.Pause(ctx, 100*time.Millisecond)
				}
			}
		})
	}
	next := func(limit time.Duration) event {
		t.Helper()
		select {
		case e := <-events:
			return e
		case <-time.After(limit):
			t.Fatalf("nothing happened to the lock within %v", limit)
			return event{}
		}
	}
	holder := next(10 * time.Second)
	pair, _, err := client.KV().Get(LockKey(service), nil)
	if err != nil {
		t.Fatal(err)
	}
	if !holder.held || pair == nil || string(pair.Value) != holder.who || pair.Session == "" {
		t.Fatalf("%+v holds the lock, and the key says %+v", holder, pair)
	}

	// Given back: the other one gets it, or the same again.
	release[holder.who] <- struct{}{}
	if e := next(5 * time.Second); e.who != holder.who || e.held {
		t.Fatalf("after its release: %+v, want %s to have given it back", e, holder.who)
	}
	holder = next(5 * time.Second)
	if !holder.held {
		t.Fatalf("after the release: %+v, want somebody to hold the lock", holder)
	}

	// Lost, as when the session has run out: the holder stops by itself.
	if pair, _, err = client.KV().Get(LockKey(service), nil); err != nil {
		t.Fatal(err)
	}
	if _, err := client.Session().Destroy(pair.Session, nil); err != nil {
		t.Fatal(err)
	}
	var got []event
	for len(got) < 2 {
		got = append(got, next(sessionTTL))
	}
	lost := slices.Index(got, event{holder.who, false})
	if lost < 0 || !got[1-lost].held {
		t.Errorf("after the session was gone: %+v, want %s to stop and somebody to hold the lock", got, holder.who)
	}

	cancel()
	running.Wait()
	await(t, 5*time.Second, "end of all sessions", func() bool {
		sessions, _, err := client.Session().List(nil)
		return err == nil && len(sessions) == 0
	})
}

// TestConsulKeyIsWrittenByCompareAndSet on a real Consul.
func TestConsulKeyIsWrittenByCompareAndSet(t *testing.T) {
	key, ctx := NewConsulKey(consultest.Start(t).Client, placement.Key(service)), t.Context()
	if value, modified, err := key.Get(ctx); value != nil || modified != 0 || err != nil {
		t.Fatalf("Get of no key = %q, %d, %v, want nothing", value, modified, err)
	}
	write := func(value string, modified uint64, want bool) {
		t.Helper()
		if written, err := key.CompareAndSet(ctx, []byte(value), modified); written != want || err != nil {
			t.Fatalf("CompareAndSet(%q, %d) = %v, %v, want %v", value, modified, written, err, want)
		}
	}
	write("too early", 5, false)
	write("first", 0, true)
	write("begun anew", 0, false)
	value, modified, err := key.Get(ctx)
	if string(value) != "first" || modified == 0 || err != nil {
		t.Fatalf("Get = %q, %d, %v, want first", value, modified, err)
	}
	write("second", modified, true)
	write("late", modified, false)
}

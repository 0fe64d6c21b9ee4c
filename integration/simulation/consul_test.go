package simulation

import (
	"maps"
	"math/rand/v2"
	"slices"
	"sync"
	"time"

	"ringkv/hashring/membership"
	"ringkv/hashring/placement"
)

// A consul is all of Consul that the programs use: registrations with their checks, one key, and the lock of the keeper.
// Each program sees it through a client of its own.
type consul struct {
	w   *world
	rng *rand.Rand

	mu       sync.Mutex // guards the rest, and the clients
	down     bool
	life     int // of its servers: what waits is cut off when that changes
	changes  int // so many catalogs were published
	now      *catalog
	past     []*catalog // some earlier ones
	holder   *session
	clients  []*client
	flapping map[string]bool // nodes whose checks fail every other time
	flip     bool
}

// A catalog is what Consul holds at one moment. It is immutable.
type catalog struct {
	index      uint64
	services   map[string]membership.Entry // by id of the node
	servicesAt uint64                      // index of the last change to them
	value      []byte                      // of the placement's key
	modified   uint64                      // index at which that was written; 0 where there is no key
	valueAt    uint64                      // index of the last change to the key, its removal included
}

// A session holds the lock until it runs out.
type session struct {
	by      *process
	expires time.Time
}

func newConsul(w *world) *consul {
	return &consul{w: w, rng: w.random("consul"), now: &catalog{index: 5, servicesAt: 5, valueAt: 5}, flapping: map[string]bool{}}
}

// changeLocked publishes another catalog.
func (c *consul) changeLocked(f func(next *catalog)) {
	next := *c.now
	next.index++
	next.services = maps.Clone(c.now.services)
	if next.services == nil {
		next.services = map[string]membership.Entry{}
	}
	f(&next)
	c.publishLocked(&next)
}

// publishLocked lets each client see the catalog a while later.
func (c *consul) publishLocked(next *catalog) {
	if c.rng.IntN(4) == 0 {
		c.past = append(c.past, c.now)
	}
	c.now = next
	c.changes++
	number := c.changes
	for _, client := range c.clients {
		time.AfterFunc(client.lagLocked(), func() { client.see(next, number) })
	}
}

// put writes a placement in place of what was written at modified, as anybody may who has the right.
//
// Nobody begins a second cluster. A new node would, if it found an emptied Consul and nobody else there; it can't know better, and operators are told not to
// start any then.
func (c *consul) put(value []byte, modified uint64) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	d, err := placement.Parse(value)
	if c.now.modified != modified || err == nil && d.Generation == 0 && c.w.founded() {
		return false
	}
	c.changeLocked(func(next *catalog) { next.value, next.modified, next.valueAt = value, next.index, next.index })
	if err == nil {
		c.w.trace.note("consul", "placement %d: %s", d.Generation, d.Why)
		c.w.placed(d)
	}
	return true
}

// stored returns the placement that Consul holds, nil for none, and when it was written.
func (c *consul) stored() (*placement.Document, uint64) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.now.modified == 0 {
		return nil, 0
	}
	d, err := placement.Parse(c.now.value)
	if err != nil {
		c.w.fail("Consul holds no placement: %v", err)
	}
	return d, c.now.modified
}

// restart brings Consul back as it once was: empty, or some time ago.
func (c *consul) restart(empty bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.life++
	c.holder = nil
	next := &catalog{index: 5, servicesAt: 5, valueAt: 5}
	if !empty && len(c.past) > 0 {
		next = c.past[c.rng.IntN(len(c.past))]
	}
	c.publishLocked(next)
}

// setDown takes all of Consul out of reach, or back.
func (c *consul) setDown(down bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.down = down
	if down {
		c.life++
	}
}

// checkAll does what the agents do: it asks each registered node whether it is well.
func (c *consul) checkAll() {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.down {
		return
	}
	c.flip = !c.flip
	was := c.now.services
	is := maps.Clone(was)
	changed := false
	for _, id := range slices.Sorted(maps.Keys(was)) {
		e := was[id]
		passing := c.w.passes("consul", e.Member) && !(c.flapping[id] && c.flip)
		if passing != e.Passing {
			e.Passing, changed = passing, true
			is[id] = e
		}
	}
	if changed {
		c.changeLocked(func(next *catalog) { next.services, next.servicesAt = is, next.index })
	}
}

// register enters a node as it wants to be known, unless it is already. Its check comes later.
func (c *consul) register(m membership.Member) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if e, known := c.now.services[m.ID]; known && e.Member == m {
		return
	}
	c.changeLocked(func(next *catalog) {
		next.services[m.ID] = membership.Entry{Member: m, Created: next.index}
		next.servicesAt = next.index
	})
}

func (c *consul) deregister(id string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if _, known := c.now.services[id]; known {
		c.changeLocked(func(next *catalog) { delete(next.services, id); next.servicesAt = next.index })
	}
}

// flap lets the check of a node fail every other time, or no more.
func (c *consul) flap(id string, flaps bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	delete(c.flapping, id)
	if flaps {
		c.flapping[id] = true
	}
}

// run checks the nodes until done is closed.
func (c *consul) run(done <-chan struct{}) {
	for {
		select {
		case <-done:
			return
		case <-time.After(500*time.Millisecond + time.Duration(c.rng.Int64N(int64(time.Millisecond)))):
			c.checkAll()
		}
	}
}

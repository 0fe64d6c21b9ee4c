package simulation

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"time"

	"ringkv/hashring/membership"
	"ringkv/hashring/placement"
)

var errAway = errors.New("consul is out of reach")

// A client is one process's way to Consul. What it sees may be old.
type client struct {
	c   *consul
	by  *process
	rng *rand.Rand

	// guarded by c.mu
	seen   *catalog
	number int
	frozen bool          // it sees nothing new
	lag    time.Duration // mean time until it sees something new
	wakes  [2]chan struct{}
}

func (c *consul) client(by *process) *client {
	c.mu.Lock()
	defer c.mu.Unlock()
	cl := &client{c: c, by: by, rng: c.w.random(fmt.Sprint("client ", by.m.name, by.life)), seen: c.now, number: c.changes, lag: c.w.plan.lag}
	for i := range cl.wakes {
		cl.wakes[i] = make(chan struct{}, 1)
	}
	c.clients = append(c.clients, cl)
	return cl
}

func (cl *client) lagLocked() time.Duration {
	return 100*time.Microsecond + exponential(cl.rng, cl.lag)
}

// see shows the client a catalog, unless it has seen a later one.
func (cl *client) see(now *catalog, number int) {
	cl.c.mu.Lock()
	defer cl.c.mu.Unlock()
	if number <= cl.number || cl.frozen {
		return
	}
	cl.seen, cl.number = now, number
	for _, wake := range cl.wakes {
		select {
		case wake <- struct{}{}:
		default:
		}
	}
}

// freeze lets the clients of a machine see nothing new, or again what there is.
func (c *consul) freeze(name string, frozen bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, cl := range c.clients {
		if cl.by.m.name == name {
			cl.frozen = frozen
			if !frozen {
				time.AfterFunc(cl.lagLocked(), func() { cl.catchUp() })
			}
		}
	}
}

func (cl *client) catchUp() {
	cl.c.mu.Lock()
	now, number := cl.c.now, cl.c.changes
	cl.c.mu.Unlock()
	cl.see(now, number)
}

// heal ends all that is wrong with Consul.
func (c *consul) heal() {
	c.setDown(false)
	c.mu.Lock()
	clear(c.flapping)
	var names []string
	for _, cl := range c.clients {
		cl.lag = time.Millisecond
		names = append(names, cl.by.m.name)
	}
	c.w.plan.lag = time.Millisecond
	c.mu.Unlock()
	for _, name := range names {
		c.freeze(name, false)
	}
}

// reach takes the time of one way to Consul or back, and fails where there is none.
func (cl *client) reach(ctx context.Context, from, to string) error {
	d, arrives, cut := cl.c.w.net.travel(from, to)
	if err := sleep(ctx, d); err != nil {
		return err
	}
	cl.c.mu.Lock()
	down := cl.c.down
	cl.c.mu.Unlock()
	switch {
	case !cl.by.alive() || cut || down:
		return errAway
	case !arrives:
		<-ctx.Done()
		return ctx.Err()
	}
	return cl.awake(ctx)
}

// awake returns when the machine isn't paused.
func (cl *client) awake(ctx context.Context) error {
	woken := make(chan struct{})
	cl.by.m.whenAwake(func() { close(woken) })
	select {
	case <-woken:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

func (cl *client) there(ctx context.Context) error { return cl.reach(ctx, cl.by.m.name, "consul") }
func (cl *client) back(ctx context.Context) error  { return cl.reach(ctx, "consul", cl.by.m.name) }

// wait returns the catalog that this client sees once `index` of it is above the one waited for, or the wait is over.
func (cl *client) wait(ctx context.Context, wake <-chan struct{}, index func(*catalog) uint64, above uint64, wait time.Duration) (*catalog, error) {
	if err := cl.there(ctx); err != nil {
		return nil, err
	}
	cl.c.mu.Lock()
	life := cl.c.life
	cl.c.mu.Unlock()
	timer := time.NewTimer(wait + time.Duration(cl.rng.Int64N(int64(wait/16)+1)))
	defer timer.Stop()
	for over := false; ; {
		cl.c.mu.Lock()
		seen, cut := cl.seen, cl.c.life != life
		cl.c.mu.Unlock()
		switch {
		case cut:
			return nil, errAway
		case above == 0 || index(seen) > above || over:
			return seen, cl.back(ctx)
		}
		select {
		case <-wake:
		case <-timer.C:
			over = true
		case <-ctx.Done():
			return nil, ctx.Err()
		}
	}
}

// members is a membership.Query.
func (cl *client) members(ctx context.Context, req membership.Request) (*membership.Answer, error) {
	s, err := cl.wait(ctx, cl.wakes[0], func(s *catalog) uint64 { return s.servicesAt }, req.Index, req.Wait)
	if err != nil {
		return nil, err
	}
	if req.Consistent {
		s = cl.newest()
	}
	a := &membership.Answer{Index: s.servicesAt}
	for _, e := range s.services {
		if e.Passing || req.All {
			a.Entries = append(a.Entries, e)
		}
	}
	return a, nil
}

func (cl *client) newest() *catalog {
	cl.c.mu.Lock()
	defer cl.c.mu.Unlock()
	return cl.c.now
}

// placement is a placement.Query.
func (cl *client) placement(ctx context.Context, index uint64, wait time.Duration) (placement.Answer, error) {
	s, err := cl.wait(ctx, cl.wakes[1], func(s *catalog) uint64 { return s.valueAt }, index, wait)
	if err != nil {
		return placement.Answer{}, err
	}
	return placement.Answer{Index: s.valueAt, Found: s.modified != 0, Value: s.value}, nil
}

// Get implements keeper.Key.
func (cl *client) Get(ctx context.Context) ([]byte, uint64, error) {
	if err := cl.there(ctx); err != nil {
		return nil, 0, err
	}
	s := cl.newest()
	return s.value, s.modified, cl.back(ctx)
}

// CompareAndSet implements keeper.Key.
func (cl *client) CompareAndSet(ctx context.Context, value []byte, modified uint64) (bool, error) {
	if err := cl.there(ctx); err != nil {
		return false, err
	}
	written := cl.c.put(value, modified)
	return written, cl.back(ctx)
}

const (
	sessionTTL = 10 * time.Second
	renewEvery = sessionTTL / 4
)

// Hold implements keeper.Lock.
func (cl *client) Hold(ctx context.Context, work func(context.Context)) error {
	s := &session{by: cl.by}
	for {
		limited, cancel := context.WithTimeout(ctx, renewEvery) // what is lost on the way is never answered
		err := cl.there(limited)
		cancel()
		if err != nil {
			return err
		}
		if cl.renew(s) {
			break
		}
		if err := sleep(ctx, 500*time.Millisecond+exponential(cl.rng, 500*time.Millisecond)); err != nil {
			return err
		}
	}
	held, lose := context.WithCancel(ctx)
	done := make(chan error, 1)
	go func() { done <- cl.keep(held, lose, s) }()
	work(held)
	lose()
	err := <-done
	cl.c.mu.Lock()
	defer cl.c.mu.Unlock()
	if cl.c.holder == s && cl.by.alive() && !cl.c.down {
		cl.c.holder = nil
	}
	return err
}

// renew takes the lock for the session, or keeps it; false if another has it.
func (cl *client) renew(s *session) bool {
	cl.c.mu.Lock()
	defer cl.c.mu.Unlock()
	if h := cl.c.holder; h != nil && h != s && time.Now().Before(h.expires) {
		return false
	}
	if s.expires.IsZero() || cl.c.holder == s {
		cl.c.holder, s.expires = s, time.Now().Add(sessionTTL+time.Duration(cl.rng.Int64N(int64(sessionTTL))))
	}
	return cl.c.holder == s
}

// keep renews the session until ctx is done, or the lock may be lost.
func (cl *client) keep(ctx context.Context, lose func(), s *session) error {
	defer lose()
	renewed := time.Now()
	for {
		if sleep(ctx, renewEvery) != nil {
			return nil
		}
		limited, cancel := context.WithTimeout(ctx, renewEvery)
		err := cl.there(limited)
		cancel()
		switch {
		case ctx.Err() != nil:
			return nil
		case err == nil && cl.renew(s):
			renewed = time.Now()
		case err == nil:
			return errors.New("the lock is lost")
		case time.Since(renewed) > sessionTTL*2/3:
			return err
		}
	}
}

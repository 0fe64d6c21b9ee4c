package wire

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

// moody is a Handler that answers at once, later or never, and remembers what it has seen.
type moody struct {
	mu   sync.Mutex // guards all
	rand *rand.Rand
	seen map[string]bool
	owed sync.WaitGroup
}

func (m *moody) Handle(req *Request, respond func(Response)) {
	m.mu.Lock()
	m.seen[req.Key] = true
	mood, wait := m.rand.IntN(10), time.Duration(m.rand.IntN(100))*time.Millisecond
	m.mu.Unlock()
	resp := Response{Status: OK, Detail: req.Key}
	switch {
	case mood < 6:
		respond(resp)
	case mood < 9:
		m.owed.Go(func() {
			time.Sleep(wait)
			respond(resp)
		})
	}
}

// Whatever is cut, lost, shut down or closed: each Send gets exactly one Reply, the answer is the one to its own request,
// and a node never sees a request of which it was said that it wasn't sent.
func TestExactlyOneReply(t *testing.T) {
	for seed := range uint64(40) {
		t.Run(fmt.Sprint("seed ", seed), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) { exactlyOneReply(t, seed) })
		})
	}
}

func exactlyOneReply(t *testing.T, seed uint64) {
	const senders, each = 8, 60
	r := rand.New(rand.NewPCG(seed, 1))
	w := newNetwork()
	h := &moody{rand: rand.New(rand.NewPCG(seed, 2)), seen: map[string]bool{}}
	n := w.startNode(t, "n1", "a:1", ServerOptions{}, h)
	p := w.startPool(t, PoolOptions{})
	replies := make([]chan Reply, senders*each)
	var sending sync.WaitGroup
	for s := range senders {
		own := rand.New(rand.NewPCG(seed, 100+uint64(s)))
		sending.Go(func() {
			for i := range each {
				at := s*each + i
				replies[at] = make(chan Reply, 2)
				req := writeOf(fmt.Sprint("key", at), string(make([]byte, own.IntN(2*largeValue))))
				p.Send("n1", "a:1", req, time.Now().Add(time.Duration(own.IntN(300))*time.Millisecond), replies[at])
				time.Sleep(time.Duration(own.IntN(20)) * time.Millisecond)
			}
		})
	}
	for range 10 {
		time.Sleep(time.Duration(r.IntN(100)) * time.Millisecond)
		switch r.IntN(6) {
		case 0, 1:
			w.last().cutAfterSending(r.IntN(60000))
		case 2:
			w.cutNextAfterReceiving(len(n.opts.accept()) + r.IntN(1000))
		case 3:
			w.setLost(r.IntN(2) == 0)
		case 4:
			p.Forget("n1")
		case 5:
			n.stop()
			n = w.startNode(t, "n1", "a:1", ServerOptions{}, h)
		}
	}
	sending.Wait()
	w.setLost(false)
	if seed%2 == 0 {
		p.Close()
	}
	time.Sleep(time.Second) // longer than any deadline
	h.owed.Wait()
	counts := map[string]int{}
	h.mu.Lock()
	defer h.mu.Unlock()
	for at, to := range replies {
		if len(to) != 1 {
			t.Fatalf("request %d got %d replies, want 1", at, len(to))
		}
		key := fmt.Sprint("key", at)
		switch got := <-to; {
		case got.Err == nil:
			counts["answered"]++
			if got.Response.Detail != key || !h.seen[key] {
				t.Errorf("request %s got the answer to %s", key, got.Response.Detail)
			}
		case errors.Is(got.Err, ErrNotSent):
			counts["not sent"]++
			if h.seen[key] {
				t.Errorf("the node saw %s, of which was said: %v", key, got.Err)
			}
		case errors.Is(got.Err, ErrNoAnswer):
			counts["no answer"]++
		default:
			t.Errorf("request %s: %v is neither ErrNotSent nor ErrNoAnswer", key, got.Err)
		}
	}
	t.Log(counts)
}

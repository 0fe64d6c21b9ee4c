package wire

import (
	"errors"
	"time"
)

const (
	sweepEvery  = 10 * time.Millisecond  // how late a deadline may be noticed
	silentAfter = 50 * time.Millisecond  // unanswered for so long is silence: hundreds of round trips
	silentFor   = time.Second            // how long others are preferred after the last sign of silence
	pingEvery   = 250 * time.Millisecond // while silent
	muteAfter   = 2 * time.Second        // no byte since a ping: the connection is given up
)

var errMute = errors.New("the node answered nothing, not even a ping, for 2 s")

// A watch is what the sweep remembers of one connection.
type watch struct {
	due    bool      // a ping is to be written
	pinged bool      // a ping has no answer yet
	at     time.Time // when that was asked for
	signs  uint64    // of life that had come by then
	until  time.Time // when the silence ends, if nothing renews it
}

// sweep looks at all calls every 10 ms while there are any, which costs them neither timers nor looks at the clock.
func (p *Pool) sweep() {
	tick := time.NewTicker(sweepEvery)
	defer tick.Stop()
	expire := time.NewTicker(p.opts.IdleAfter)
	defer expire.Stop()
	for {
		if !p.sweepPeers() {
			tick.Stop()
			p.idle.Store(true)
			if p.sweepPeers() { // a Send came in between, and may not have seen that the sweep sleeps
				p.wakeSweep()
			}
		}
		select {
		case <-tick.C:
		case <-p.wake:
			p.idle.Store(false)
			tick.Reset(sweepEvery)
		case <-expire.C:
			p.forgetIdle()
		case <-p.ctx.Done():
			return
		}
	}
}

func (p *Pool) wakeSweep() {
	select {
	case p.wake <- struct{}{}:
	default:
	}
}

func (p *Pool) sweepPeers() (busy bool) {
	now := time.Now()
	for _, n := range *p.peers.Load() {
		if n.sweep(now) {
			busy = true
		}
	}
	return busy
}

// forgetIdle forgets the nodes that were asked nothing since it was last called.
func (p *Pool) forgetIdle() {
	for node, n := range *p.peers.Load() {
		if !n.used.Swap(false) {
			p.Forget(node)
		}
	}
}

// sweep gives calls past their deadline their Reply, and watches whether the node still answers. It reports whether it
// wants to be called again soon.
func (n *peer) sweep(now time.Time) (busy bool) {
	var late []call
	n.mu.Lock()
	oldest := now
	n.calls.each(func(id uint64, c *call) {
		if n.sent == 0 || c.progress == left { // else it waits for those
			if c.since.IsZero() {
				c.since = now
			}
			if c.since.Before(oldest) {
				oldest = c.since
			}
		}
		if c.deadline.After(now) {
			return
		}
		was, _ := n.removeLocked(id)
		late = append(late, was)
	})
	if len(late) > 0 && len(n.queue) > 0 {
		n.wakeWriter()
	}
	n.watchLocked(now, now.Sub(oldest))
	waiting := n.calls.len() > 0
	if n.leaving && !waiting && n.end != nil {
		n.end(errLeaving)
	}
	busy = waiting || n.end != nil && (n.watch.pinged || now.Before(n.watch.until))
	n.mu.Unlock()
	for i := range late {
		n.settle(&late[i], errDeadline)
	}
	return busy
}

// watchLocked decides whether the node is silent, whether to ping it, and when to give its connection up. unanswered is
// the age of the oldest call.
func (n *peer) watchLocked(now time.Time, unanswered time.Duration) {
	w := &n.watch
	if w.pinged {
		unanswered = max(unanswered, now.Sub(w.at))
	}
	if unanswered >= silentAfter {
		w.until = now.Add(silentFor)
	}
	silent := n.why != nil || now.Before(w.until)
	if silent && !n.silent.Load() {
		n.pool.metrics.silent.Inc()
	}
	n.silent.Store(silent)
	switch {
	case n.end == nil:
	case w.pinged && now.Sub(w.at) >= muteAfter:
		if n.signs.Load() == w.signs {
			n.end(errMute)
		}
		w.at, w.signs = now, n.signs.Load() // much is on its way still, and the pong behind it
	case silent && !w.pinged && now.Sub(w.at) >= pingEvery:
		w.due, w.pinged, w.at, w.signs = true, true, now, n.signs.Load()
		n.wakeWriter()
	}
}

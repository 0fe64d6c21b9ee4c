package main

import (
	"crypto/rand"
	"encoding/binary"
	"fmt"
	mathrand "math/rand/v2"
	"sync"
	"sync/atomic"
	"time"

	"ringkv/node/record"
	"ringkv/node/wire"
)

// peers carries this node's own requests: to other nodes over the wire, to itself by a call.
type peers struct {
	here string
	data wire.Handler
	pool *wire.Pool

	reads   atomic.Int64 // of this node's own that are under way
	reading sync.WaitGroup
}

// maxOwnReads bounds how many reads may wait for this node's own disk, as each of them may hold a thread there. The other owners are asked instead.
const maxOwnReads = 1024

// Send implements coordinator.Peers.
func (p *peers) Send(node, addr string, req *wire.Request, deadline time.Time, to chan<- wire.Reply) {
	if node != p.here {
		p.pool.Send(node, addr, req, deadline, to)
		return
	}
	respond := func(resp wire.Response) { to <- wire.Reply{Node: node, Response: resp} }
	if req.Op != wire.OpRead {
		p.data.Handle(req, respond)
		return
	}
	if p.reads.Add(1) > maxOwnReads {
		p.reads.Add(-1)
		to <- wire.Reply{Node: node, Err: fmt.Errorf("%w: %d reads wait for its disk already", wire.ErrNotSent, maxOwnReads)}
		return
	}
	p.reading.Go(func() { // the disk may be slow, and whoever asks has others to ask meanwhile
		defer p.reads.Add(-1)
		p.data.Handle(req, respond)
	})
}

// wait returns when no read is under way any more. Nothing is sent from then on.
func (p *peers) wait() { p.reading.Wait() }

// Silent implements coordinator.Peers.
func (p *peers) Silent(node string) bool { return node != p.here && p.pool.Silent(node) }

// randomness returns a source that no other node shares, for what nodes should not do all at once.
func randomness() *mathrand.Rand {
	var seed [32]byte
	rand.Read(seed[:]) // never fails
	return mathrand.New(mathrand.NewChaCha8(seed))
}

// newClock returns a clock whose versions no other process makes, not even this one after a restart.
func newClock(maxSkew time.Duration) *record.Clock {
	var b [8]byte
	rand.Read(b[:]) // never fails
	return record.NewClock(time.Now, binary.LittleEndian.Uint64(b[:]), maxSkew)
}

// Package coordinator carries out one read or write over the owners of a key, so that what it answers is linearizable key
// by key. It knows nothing of HTTP, Consul or sockets.
//
// A write goes to all owners at once, under a version of the clock; where it meets another, it is tried again above that. While an owner is away, says nothing
// or takes nothing, it takes two steps: it asks a quorum which versions they hold, and stamps a later one. A read asks a quorum, and returns the newest record only once a write quorum holds exactly that one,
// writing it back where it is missing. A conditional write is Paxos on the same records: a majority promises a ballot, and what is accepted under
// it is derived from what they hold. All talk to the owners of one config of the slot at a time; an owner that has promised a
// later one says so, and the operation goes on there.
package coordinator

import (
	"fmt"
	"math/rand/v2"
	"sync"
	"time"

	"ringkv/hashring/placement"
	"ringkv/node/record"
	"ringkv/node/wire"
)

// Peers carries requests to nodes.
type Peers interface {
	// Send puts req on its way to the node and returns at once. Exactly one Reply is sent to `to`, which has room for it, at the latest at the deadline.
	Send(node, addr string, req *wire.Request, deadline time.Time, to chan<- wire.Reply)
	// Silent reports whether the node has lately left requests unanswered, so that others are better asked first.
	Silent(node string) bool
}

// Options are a Coordinator's settings. Zero fields mean the defaults that stand beside them.
type Options struct {
	Replicas    int           // N: copies of each key; 3
	WriteQuorum int           // W: owners that must hold a write before it is acknowledged; a majority of N
	ReadQuorum  int           // R: owners that a read asks; a majority of N
	Timeout     time.Duration // of one operation with all its tries; 2 s
	// HedgeAfter is how long an answer may take before the owners not yet asked are asked too; 15 ms. Raising it saves
	// requests when nodes are slow, and costs as much latency when one of them stands still.
	HedgeAfter time.Duration
	// Here is the node that this is a part of. It is asked first, since a value of its own has no way to go; none.
	Here    string
	Random  func() float64 // in [0,1), for jitter; math/rand/v2
	Metrics *Metrics       // none
}

// A Coordinator is safe for concurrent use.
type Coordinator struct {
	view  func() *placement.View
	peers Peers
	clock *record.Clock
	opt   Options

	refusers lately // have refused to store something, for a reason of their own: no room, say, or something damaged
	fetchers lately // had to fetch what they were asked for

	rounds sync.Pool // of *round: those that have ended, to be used again
}

// New returns a coordinator that takes who owns what from view, which returns nil while that isn't known, and versions from
// clock.
func New(view func() *placement.View, peers Peers, clock *record.Clock, opt Options) (*Coordinator, error) {
	if opt.Replicas == 0 {
		opt.Replicas = 3
	}
	if opt.WriteQuorum == 0 {
		opt.WriteQuorum = majority(opt.Replicas)
	}
	if opt.ReadQuorum == 0 {
		opt.ReadQuorum = majority(opt.Replicas)
	}
	if opt.Timeout == 0 {
		opt.Timeout = 2 * time.Second
	}
	if opt.HedgeAfter == 0 {
		opt.HedgeAfter = 15 * time.Millisecond
	}
	if opt.Random == nil {
		opt.Random = rand.Float64
	}
	if err := CheckQuorums(opt.Replicas, opt.WriteQuorum, opt.ReadQuorum); err != nil {
		return nil, err
	}
	return &Coordinator{view: view, peers: peers, clock: clock, opt: opt}, nil
}

// CheckQuorums says what is wrong with N, W and R, in terms of the flags that set them.
func CheckQuorums(n, w, r int) error {
	switch {
	case n < 1:
		return fmt.Errorf("-replicas %d: want at least 1", n)
	case w < 1 || r < 1:
		return fmt.Errorf("-write-quorum %d, -read-quorum %d: want at least 1 each", w, r)
	case w > n:
		return fmt.Errorf("-write-quorum %d exceeds -replicas %d", w, n)
	case r > n:
		return fmt.Errorf("-read-quorum %d exceeds -replicas %d", r, n)
	case w < majority(n):
		return fmt.Errorf("-write-quorum %d is no majority of -replicas %d (%d would be): reads through nodes and other gateways would miss acknowledged writes", w, n, majority(n))
	case w+r <= n:
		return fmt.Errorf("-write-quorum %d and -read-quorum %d together must exceed -replicas %d, or reads would miss acknowledged writes", w, r, n)
	}
	return nil
}

func majority(n int) int { return n/2 + 1 }

// everyMajority is how many of n owners have one in every majority of them: in every acknowledged write, whatever the write quorum was of
// the coordinator that made it, in every ballot that was prepared, and among those whom an owner of a later config has asked.
func everyMajority(n int) int { return n - majority(n) + 1 }

// quorums returns W and R for a config of n owners: the configured ones for a full config, majorities while the cluster has
// fewer nodes than copies.
func (c *Coordinator) quorums(n int) (w, r int) {
	if n == c.opt.Replicas {
		return c.opt.WriteQuorum, c.opt.ReadQuorum
	}
	return majority(n), majority(n)
}

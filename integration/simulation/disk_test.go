package simulation

import (
	"errors"
	"math/rand/v2"
	"time"

	"ringkv/node/store"
	"ringkv/node/store/disk/faulty"
	"ringkv/node/store/jsonstore"
)

// errDead is what the disk says to a process that has been killed.
var errDead = errors.New("this process is dead")

// A slowStore takes its time to make a batch durable.
type slowStore struct {
	*jsonstore.Store
	by   *process
	rng  *rand.Rand
	turn chan struct{} // holds one token; a mutex would stop the fake time
}

func newSlowStore(st *jsonstore.Store, by *process, rng *rand.Rand) *slowStore {
	s := &slowStore{Store: st, by: by, rng: rng, turn: make(chan struct{}, 1)}
	s.turn <- struct{}{}
	return s
}

// Apply implements store.Store.
func (s *slowStore) Apply(b store.Batch) error {
	<-s.turn
	defer func() { s.turn <- struct{}{} }()
	s.pass()
	if !s.by.alive() {
		return errDead
	}
	n := s.by.m.w.node(s.by.m.name)
	if len(b.Drop) > 0 {
		n.newEra()
	}
	err := s.Store.Apply(b)
	if len(b.Drop) > 0 {
		n.newEra()
	}
	s.pass()
	return err
}

// newEra notes that what the node holds may be older from now on: a slot that it has given up may come back without what was never decided.
func (n *node) newEra() {
	n.w.mu.Lock()
	defer n.w.mu.Unlock()
	n.eras++
}

// pass lets the time of half a write pass, and longer if the machine is paused.
func (s *slowStore) pass() {
	time.Sleep(20*time.Microsecond + exponential(s.rng, s.by.m.w.plan.sync))
	woken := make(chan struct{})
	s.by.m.whenAwake(func() { close(woken) })
	<-woken
}

// kill ends the node's process between two moments, and leaves what a crash leaves: of the machine, so that what
// wasn't synced may be lost, or of the process alone.
func (n *node) kill(rng *rand.Rand, power bool) {
	if n.end() == nil {
		return
	}
	n.crash(rng, power)
}

func (n *node) crash(rng *rand.Rand, power bool) {
	dying := n.disk.Load()
	if power {
		keep := []faulty.Keep{faulty.KeepNone, faulty.KeepNone, faulty.KeepHalf, faulty.KeepAll, faulty.KeepTorn}[rng.IntN(5)]
		n.disk.Store(dying.PowerCut(keep, rng))
	} else {
		n.disk.Store(dying.Clone())
	}
	dying.Before(func(faulty.Op) error { return errDead })
	n.w.trace.note(n.name, "killed, power cut: %v", power)
}

// stop ends the node's process in order: its store is closed.
func (n *node) stop() {
	parts := n.look()
	if parts == nil || n.end() == nil {
		return
	}
	<-parts.closed
	n.w.trace.note(n.name, "stopped")
}

// killAt ends the process at the n-th change of its disk from now on.
func (n *node) killAt(ops int, rng *rand.Rand, power bool) {
	n.disk.Load().Before(func(op faulty.Op) error {
		if !op.Changes() {
			return nil
		}
		if ops--; ops > 0 {
			return nil
		}
		if n.end() != nil {
			n.w.trace.note(n.name, "dies before %s of %s", op.Kind, op.Name)
			n.crash(rng, power)
		}
		return errDead
	})
}

// wipe gives the node, which is down, an empty disk.
func (n *node) wipe() {
	n.disk.Store(faulty.New())
	n.disks.Add(1)
	n.w.trace.note(n.name, "gets an empty disk")
}

package simulation

import (
	"errors"
	"math/rand/v2"
	"slices"
	"strings"
	"syscall"
	"time"

	"ringkv/node/store/disk/faulty"
)

// watchDisk does what kvnode's watchDisk does: it tries the disk every two seconds, and the check fails where that does. A full disk is no reason.
func (n *node) watchDisk(p *process, parts *nodeParts) error {
	for sleep(p.ctx, 2*time.Second) == nil {
		err := parts.store.Check(p.ctx)
		sick := err != nil && !errors.Is(err, syscall.ENOSPC) && p.ctx.Err() == nil
		n.mu.Lock()
		if sick != parts.sick {
			n.w.trace.note(n.name, "its disk fails: %v", err)
		}
		parts.sick = sick
		n.mu.Unlock()
	}
	return nil
}

// failSync lets the syncs of a disk fail, once or until the node is started again. What they should have written is lost with the power.
func failSync(w *world, rng *rand.Rand) {
	n, release := takeNode(w, rng)
	if n == nil {
		return
	}
	defer release()
	after, times := rng.IntN(10), pick(rng, 1, 1_000_000)
	kinds := pick(rng, []string{"sync"}, []string{"sync", "syncdir"})
	w.trace.note(n.name, "after %d, %d calls of %v of its disk fail", after, times, kinds)
	n.disk.Load().Before(func(op faulty.Op) error {
		if !slices.Contains(kinds, op.Kind) {
			return nil
		}
		if after--; after >= 0 {
			return nil
		}
		if times--; times < 0 {
			return nil
		}
		return syscall.EIO
	})
	for range 1 + rng.IntN(2) {
		w.last(rng)
	}
	n.kill(rng, rng.IntN(2) == 0)
	w.last(rng)
	n.again(rng)
}

// fillDisk lets a disk have no room for a while. Sometimes the node is killed meanwhile, and may not come up until there is room again.
func fillDisk(w *world, rng *rand.Rand) {
	n, release := takeNode(w, rng)
	if n == nil {
		return
	}
	defer release()
	own := fork(rng)
	share := pick(own, 1, 0.5)
	full := func(op faulty.Op) error {
		switch {
		case op.Kind != "create" && op.Kind != "write" || own.Float64() >= share:
			return nil
		case op.Kind == "write" && op.Len > 0:
			return &faulty.Short{N: own.IntN(op.Len), Err: syscall.ENOSPC}
		}
		return syscall.ENOSPC
	}
	w.trace.note(n.name, "its disk is full")
	n.disk.Load().Before(full)
	w.last(rng)
	if rng.IntN(3) == 0 {
		n.kill(rng, rng.IntN(2) == 0)
		n.disk.Load().Before(full)
		n.tryStart(func(err error) { w.trace.note(n.name, "can't start: %v", err) })
		w.last(rng)
	}
	w.trace.note(n.name, "its disk has room again")
	n.disk.Load().Before(nil)
	w.last(rng)
	if n.look() == nil {
		n.start()
	}
}

// flipBits damages what a node has stored, where nothing is lost by that: while it runs, after it was stopped in order, or after a crash.
func flipBits(w *world, rng *rand.Rand) {
	n, release := takeNode(w, rng)
	if n == nil {
		return
	}
	defer release()
	if !w.maySpare(n) || !w.onlyDamaged(n) { // from here on no other may be lost
		return
	}
	how := pick(rng, "live", "stopped", "killed")
	name, size := n.lastSegment()
	if how == "stopped" {
		n.stop()
	} else if size = n.outgrown(name); size == 0 {
		w.unhurt(n)
		return
	}
	n.newEra()
	if how == "killed" {
		n.kill(rng, false)
	}
	for range pick(rng, 1, 1, 3) {
		off, bit := rng.Int64N(size), byte(1)<<rng.IntN(8)
		w.trace.note(n.name, "%s: bits %#x of byte %d of %s flip", how, bit, off, name)
		n.disk.Load().Flip(name, off, bit)
	}
	w.last(rng)
	if how == "live" {
		return
	}
	if n.tryStart(func(err error) { w.trace.note(n.name, "refuses to start: %v", err) }); n.look() == nil {
		w.enter(w.ledger.gone, n)
		n.wipe()
		n.start()
	}
}

// lastSegment returns the segment that is written to, and its size.
func (n *node) lastSegment() (name string, size int64) {
	for _, file := range n.disk.Load().Names() {
		if strings.HasPrefix(file, "segment-") && strings.HasSuffix(file, ".jsonl") {
			name = file
		}
	}
	return name, int64(len(n.disk.Load().Bytes(name)))
}

// outgrown waits until two more writes stand behind what the segment holds now, and returns the size of that; 0 if they don't come. What was written last can't
// be told from a torn write once it is damaged, so that nobody promises to notice.
func (n *node) outgrown(name string) int64 {
	size := int64(len(n.disk.Load().Bytes(name)))
	before, grown := size, 0
	for range 200 {
		time.Sleep(50 * time.Millisecond)
		now, there := n.lastSegment()
		if now != name || !n.up() {
			break
		}
		if there > before {
			before, grown = there, grown+1
		}
		if grown == 2 {
			return size
		}
	}
	return 0
}

// stillDamaged names a node on which something is still damaged, as far as is known; empty if there is none.
func (w *world) stillDamaged() string {
	for _, n := range w.nodes {
		if parts := n.look(); parts != nil && parts.damage(w.plan) {
			return n.name + " holds damaged records"
		}
	}
	return ""
}

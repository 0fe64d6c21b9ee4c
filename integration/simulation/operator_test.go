package simulation

import (
	"context"
	"encoding/json"
	"errors"
	"io/fs"
	"math/rand/v2"
	"strings"
	"time"

	"ringkv/node/departure"
	"ringkv/node/keeper"
	"ringkv/node/store/disk"
)

func cutIdentity(identity string) (id, disk string, ok bool) { return strings.Cut(identity, "/") }

// leavingFile is where a node remembers that it leaves for good.
type leavingFile struct{ disk disk.Disk }

type leavingNote struct {
	Left bool `json:"left"`
}

const leavingName = "leaving.json"

func (f leavingFile) load() (asked, left bool, err error) {
	text, err := disk.ReadFile(f.disk, leavingName, 1<<10)
	if errors.Is(err, fs.ErrNotExist) {
		return false, false, nil
	}
	var note leavingNote
	if err == nil {
		err = json.Unmarshal(text, &note)
	}
	return true, note.Left, err
}

func (f leavingFile) remember(left bool) error {
	text, err := json.Marshal(leavingNote{left})
	if err != nil {
		return err
	}
	return disk.WriteFile(f.disk, leavingName, text)
}

// leave runs the leaver of a process, and ends that once all others hold everything.
func (n *node) leave(p *process, l *departure.Leaver) error {
	err := l.Run(p.ctx)
	select {
	case <-l.Left():
	default:
		return err
	}
	n.w.consul.deregister(n.name)
	if n.endOf(p) {
		n.w.trace.note(n.name, "has left for good")
		n.retire()
	}
	return err
}

// retire gives a node that has left an empty disk in place of the one that it left with.
func (n *node) retire() {
	n.w.enter(n.w.ledger.left, n)
	n.wipe()
}

// leaveOne asks a node to leave, as an operator may. Whatever else happens to it meanwhile, it goes on with that.
func leaveOne(w *world, rng *rand.Rand) {
	n := w.nodes[rng.IntN(len(w.nodes))]
	parts := n.look()
	if parts == nil || parts.leaver.At() != nil {
		return
	}
	ctx, cancel := w.boundedContext()
	defer cancel()
	if err := parts.keeper.MayLeave(ctx, n.name, parts.diskID); err != nil {
		return
	}
	if err := parts.leaver.Ask(); err != nil {
		w.trace.note(n.name, "can't leave: %v", err)
		return
	}
	w.trace.note(n.name, "is asked to leave for good")
	w.stir()
}

// tend does what an operator does day by day: machines whose node has left get a new one.
func (w *world) tend(done <-chan struct{}) {
	rng := w.random("operator")
	for {
		select {
		case <-done:
			return
		case <-time.After(time.Second + exponential(rng, 4*time.Second)):
		}
		for _, n := range w.nodes {
			if w.retired(n) && n.seizeDown() {
				n.start()
				n.release()
				w.stir()
			}
		}
	}
}

// retired reports whether the node's last disk left in order, and nothing has run on the present one.
func (w *world) retired(n *node) bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	before := n.disks.Load() - 1
	return before >= 0 && w.ledger.left[n.identityOn(before)]
}

// loseSome loses the disks of some nodes for good, at once, and gives the nodes up. Often only what can be spared; else those keys that may have lost
// writes are judged by what is left.
func loseSome(w *world, rng *rand.Rand) {
	var lost []*node
	for _, i := range rng.Perm(len(w.nodes))[:1+rng.IntN(3)] {
		if n := w.nodes[i]; n.seize() {
			defer n.release()
			lost = append(lost, n)
		}
	}
	d, _ := w.consul.stored()
	if len(lost) == 0 || d == nil || w.unsettled() != "" && rng.IntN(4) > 0 {
		return
	}
	if len(w.atRisk(identitiesOf(lost)...)) > 0 && (rng.IntN(2) == 0 || w.anyDamaged()) { // what is damaged would have to be given up as well
		return
	}
	others := 0
	for _, n := range w.nodes {
		if parts := n.look(); parts != nil && d.Has(n.name, n.diskID()) {
			others++
		}
	}
	if others <= len(lost) { // no copy would be left of anything
		return
	}
	slots := w.lose(lost...)
	w.trace.note("-", "%v are lost for good, and with them perhaps writes of slots %v", identitiesOf(lost), slots)
	for _, n := range lost {
		n.kill(rng, true)
		n.wipe()
	}
	w.last(rng)
	before := rng.IntN(2) == 0
	if before {
		for _, n := range lost {
			n.again(rng)
		}
	}
	if !w.giveUp(rng) {
		w.owe()
	}
	w.stir()
	if !before {
		w.last(rng)
		for _, n := range lost {
			n.again(rng)
		}
	}
}

func (w *world) anyDamaged() bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	return len(w.ledger.damaged) > 0
}

func identitiesOf(nodes []*node) (all []string) {
	for _, n := range nodes {
		all = append(all, n.identity())
	}
	return all
}

// giveUp gives up all nodes whose disks no longer exist, through one node or the other, until that is written. It gives up itself after a while, as
// when there is no Consul.
func (w *world) giveUp(rng *rand.Rand) (written bool) {
	refused := false
	for range 60 {
		d, _ := w.consul.stored()
		names := w.goneOf(d)
		if d != nil && len(names) == 0 {
			return true
		}
		if refused { // Consul may hold an old placement, without nodes that have to be named as well
			names = w.goneOf(nil)
		}
		if len(names) > 0 {
			refused = w.giveUpThrough(w.nodes[rng.IntN(len(w.nodes))], names) && !refused
		}
		time.Sleep(500*time.Millisecond + exponential(rng, 500*time.Millisecond))
	}
	w.trace.note("-", "the lost nodes could not be given up")
	return false
}

// owe notes that lost nodes are to be given up once all is well again.
func (w *world) owe() {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.owed++
}

// giveUpThrough gives nodes up through n, and reports whether that was refused.
func (w *world) giveUpThrough(n *node, names []string) (refused bool) {
	parts := n.look()
	if parts == nil {
		return false
	}
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
	defer cancel()
	loss, err := parts.keeper.Lose(ctx, names, true)
	switch r := keeper.AsRefusal(err); {
	case err == nil:
		w.trace.note(n.name, "gives up %v: %+v", names, *loss)
	case r != nil:
		w.trace.note(n.name, "doesn't give up %v: %s", names, r.Reason)
	default:
		w.trace.note(n.name, "may have given up %v: %v", names, err)
	}
	return keeper.AsRefusal(err) != nil
}

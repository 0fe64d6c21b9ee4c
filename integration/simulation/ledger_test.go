package simulation

import (
	"maps"
	"slices"

	"ringkv/hashring"
	"ringkv/hashring/placement"
	"ringkv/integration/oracle"
)

// A ledger keeps the books of disks that were destroyed or damaged: what that may have cost is to be known before it's judged. It knows more than
// any node does. It is guarded by world.mu.
type ledger struct {
	documents []*placement.Document // all that were written since everything was last seen settled
	gone      map[string]bool       // identities of nodes whose disks no longer exist, and which never left in order
	left      map[string]bool       // of those that did
	damaged   map[string]bool       // of those with damage that may not be repaired yet
	losses    []oracle.Op           // of keys that may have lost acknowledged writes
}

func newLedger() ledger {
	return ledger{gone: map[string]bool{}, left: map[string]bool{}, damaged: map[string]bool{}}
}

func (l *ledger) lacks(identity string) bool {
	return l.gone[identity] || l.left[identity] || l.damaged[identity]
}

// lost reports whether writes of the key may be lost.
func (l *ledger) lost(key string) bool {
	return slices.ContainsFunc(l.losses, func(op oracle.Op) bool { return op.Key == key })
}

// atRisk returns the slots with keys that may lose acknowledged writes when the disks of these identities are lost as well: those of which a
// config that may still count has lost as many owners as a write is stored on.
func (w *world) atRisk(identities ...string) (slots []int) {
	configs := w.counting()
	w.mu.Lock()
	defer w.mu.Unlock()
	for slot := range w.trace.slots {
		if slices.ContainsFunc(configs(slot), func(c placement.Config) bool {
			lost := 0
			for _, owner := range c.Owners {
				if w.ledger.lacks(owner) || slices.Contains(identities, owner) {
					lost++
				}
			}
			return lost > len(c.Owners)/2
		}) {
			slots = append(slots, slot)
		}
	}
	slices.Sort(slots)
	return slots
}

// counting returns the configs of a slot that may still count: the newest alone if all its owners that are left have settled it, else that of every
// placement since that was last so.
func (w *world) counting() func(slot int) []placement.Config {
	d, _ := w.consul.stored()
	settled := d != nil && w.unsettledBut(w.without()) == ""
	w.mu.Lock()
	defer w.mu.Unlock()
	if settled && d.Generation == w.highest {
		w.ledger.documents = []*placement.Document{d}
	}
	documents := slices.Clone(w.ledger.documents)
	return func(slot int) (all []placement.Config) {
		for _, d := range documents {
			h := d.History(slot)
			all = append(all, h[len(h)-1])
		}
		return all
	}
}

// without says which identities no longer exist.
func (w *world) without() map[string]bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	return maps.Clone(w.ledger.gone)
}

// maySpare reports whether the node's disk can be lost, or damaged, without any loss of what was acknowledged.
func (w *world) maySpare(n *node) bool {
	d, _ := w.consul.stored()
	return d != nil && len(d.Nodes) >= replicas && w.unsettled() == "" && len(w.atRisk(n.identity())) == 0
}

// lose enters into the books that the disks of these nodes are gone, and what that may cost.
func (w *world) lose(nodes ...*node) (slots []int) {
	var identities []string
	for _, n := range nodes {
		identities = append(identities, n.identity())
	}
	slots = w.atRisk(identities...)
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, identity := range identities {
		w.ledger.gone[identity] = true
	}
	for _, key := range w.plan.keys {
		if slices.Contains(slots, hashring.SlotOf(key)) {
			w.ledger.losses = append(w.ledger.losses, oracle.Op{Client: users + 1, Kind: oracle.Loss, Key: key, Call: w.history.Now(), Return: oracle.Never})
		}
	}
	return slots
}

// enter notes one more identity in one of the books.
func (w *world) enter(book map[string]bool, n *node) {
	w.mu.Lock()
	defer w.mu.Unlock()
	book[n.identity()] = true
}

// goneOf returns the identities that the placement d knows and that no longer exist, but for those that it gives up. Without a placement, the last one that
// was written says who was there.
func (w *world) goneOf(d *placement.Document) (names []string) {
	forgotten := d == nil // then nobody may know that they were given up already
	if forgotten {
		w.mu.Lock()
		if n := len(w.ledger.documents); n > 0 {
			d = w.ledger.documents[n-1]
		}
		w.mu.Unlock()
	}
	if d == nil {
		return nil
	}
	for identity := range w.without() {
		id, _, _ := cutIdentity(identity)
		if slices.Contains(d.Identities(id), identity) && (forgotten || !d.IsLost(identity)) {
			names = append(names, identity)
		}
	}
	slices.Sort(names)
	return names
}

// onlyDamaged enters into the books that the node's disk is damaged, unless another one may be: where a slot moves and two of its owners know that they have lost something, and not
// what, nobody can tell any more what it held. Which disks were damaged at once is known to no node, so a placement may bring any two of them together.
func (w *world) onlyDamaged(n *node) bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	for other := range w.ledger.damaged {
		if !w.ledger.gone[other] {
			return false
		}
	}
	w.ledger.damaged[n.identity()] = true
	return true
}

// unhurt notes that a node's disk wasn't damaged in the end.
func (w *world) unhurt(n *node) {
	w.mu.Lock()
	defer w.mu.Unlock()
	delete(w.ledger.damaged, n.identity())
}

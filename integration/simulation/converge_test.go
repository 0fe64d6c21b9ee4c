package simulation

import (
	"fmt"
	"time"

	"ringkv/gateway/coordinator"
	"ringkv/hashring"
	"ringkv/hashring/placement"
)

// convergence is how long a healed cluster may take: a keeper waits for a minute after Consul was away.
const convergence = 4 * time.Minute

// heal ends all faults.
func (w *world) heal() {
	w.trace.note("-", "all faults end")
	w.net.heal()
	w.consul.heal()
	for _, m := range w.machines() {
		m.setSkew(0)
		m.resume()
	}
	for _, n := range w.nodes {
		if n.look() == nil && !n.first() {
			n.start()
		}
	}
	if w.owed > 0 {
		w.giveUp(w.random("owed"))
	}
}

// converge waits until every node holds what it should: with quiet, all owners of a slot the same, and nobody else anything.
func (w *world) converge(quiet bool) {
	end := time.Now().Add(convergence)
	for n := 1; ; n++ {
		time.Sleep(500 * time.Millisecond)
		if n%40 == 1 {
			w.look()
		}
		why := w.behind()
		if why == "" {
			why = w.unsettled()
		}
		if quiet {
			for _, more := range []func() string{w.leaving, w.different, w.stillDamaged} {
				if why == "" {
					why = more()
				}
			}
		}
		if why == "" {
			w.trace.note("-", "converged")
			return
		}
		if time.Now().After(end) {
			w.fail("not converged %v after all faults have ended: %s", convergence, why)
			return
		}
	}
}

// look reads through each gateway: one that knows a generation that Consul has lost, and is never used, tells nobody of it.
func (w *world) look() {
	ctx, cancel := w.boundedContext()
	defer cancel()
	for _, g := range w.gateways {
		if t := g.target(); t != nil {
			for _, key := range w.plan.keys {
				_, _ = t.co.Get(ctx, key, coordinator.ReadOptions{}) // whatever comes of it
			}
		}
	}
}

// behind says who doesn't know the placement that it should; empty if everybody does.
func (w *world) behind() string {
	d, _ := w.consul.stored()
	if d == nil {
		return "Consul holds no placement"
	}
	for _, n := range w.nodes {
		if n.first() {
			continue
		}
		parts := n.look()
		if parts == nil {
			return n.name + " is down"
		}
		if !d.Has(n.name, n.diskID()) {
			return fmt.Sprintf("%s on %s is not in generation %d", n.name, n.diskID(), d.Generation)
		}
		if v := parts.source.View(); v != nil && v.Generation() != d.Generation {
			return fmt.Sprintf("%s knows generation %d, and not %d", n.name, v.Generation(), d.Generation)
		}
		if why := w.blind(parts.source, d); why != "" {
			return n.name + " " + why
		}
	}
	for _, g := range w.gateways {
		if why := w.blind(g.source, d); why != "" {
			return g.name + " " + why
		}
	}
	return ""
}

// leaving names a node that is about to leave; empty if there is none. One that has to stay, as there would be too few, doesn't count.
func (w *world) leaving() string {
	d, _ := w.consul.stored()
	for _, n := range w.nodes {
		if parts := n.look(); parts != nil && parts.leaver.At() != nil && (len(d.Nodes) > replicas || !d.Has(n.name, n.diskID())) {
			return n.name + " is leaving"
		}
	}
	return ""
}

// blind says what a program doesn't see of the placement d with all its nodes well; empty if it sees all. It may go by a later one, which Consul has lost and no node
// knows: a gateway keeps that until there is one as late, and serves by it. Nodes that it concerns learn of it by the gateway's requests, and the keeper from them.
// Where there is one as late, it can't serve until Consul's answer has come: its question may wait for an index of the Consul before.
func (w *world) blind(source *placement.Source, d *placement.Document) string {
	v := source.View()
	if v == nil || v.Generation() < d.Generation {
		return fmt.Sprintf("doesn't know generation %d", d.Generation)
	}
	if known := source.Documents.Snapshot().Document; v.Generation() == d.Generation && !known.Same(d) {
		return fmt.Sprintf("knows another generation %d", d.Generation)
	}
	for _, away := range v.Away() {
		return fmt.Sprintf("doesn't see that %s passes", away.ID)
	}
	for _, n := range v.Nodes() {
		if is := w.node(n.ID).member().Addr; n.Addr != is {
			return fmt.Sprintf("looks for %s at %s, and not at %s", n.ID, n.Addr, is)
		}
	}
	return ""
}

// unsettled names a slot that an owner doesn't hold by the newest placement; empty if there is none.
func (w *world) unsettled() string { return w.unsettledBut(nil) }

// unsettledBut is unsettled without regard to the nodes of some identities.
func (w *world) unsettledBut(without map[string]bool) string {
	d, _ := w.consul.stored()
	if d == nil {
		return "Consul holds no placement"
	}
	parts := map[string]*nodeParts{}
	for _, n := range w.nodes {
		parts[n.name] = n.look()
	}
	for _, n := range d.Nodes {
		if without[placement.Identity(n.ID, n.Disk)] {
			continue
		}
		p := parts[n.ID]
		if p == nil {
			return n.ID + " is down"
		}
		v := p.source.View()
		if v == nil || v.Generation() != d.Generation {
			return fmt.Sprintf("%s doesn't know generation %d", n.ID, d.Generation)
		}
		if !v.Document().Same(d) { // after Consul has lost everything there may be two
			return fmt.Sprintf("%s knows another generation %d", n.ID, d.Generation)
		}
		for slot := range hashring.Slots {
			if !w.plan.has(slot) {
				continue
			}
			if state := p.data.SlotState(slot); v.Config(slot).Owns(n.ID+"/"+n.Disk) && state != "settled" {
				return fmt.Sprintf("%s: slot %d is %s", n.ID, slot, state)
			}
		}
	}
	return ""
}

// different names a slot of which owners hold different records, or others hold any; empty if there is none.
func (w *world) different() string {
	view := w.gateways[0].source.View()
	for slot := range hashring.Slots {
		if !w.plan.has(slot) {
			continue
		}
		var digest *uint64
		for _, n := range w.nodes {
			parts := n.look()
			if parts == nil {
				continue
			}
			d := parts.store.Digest(slot)
			if !view.Config(slot).Owns(n.name + "/" + n.diskID()) {
				if d != 0 {
					return fmt.Sprintf("%s doesn't own slot %d, and holds some of it", n.name, slot)
				}
				continue
			}
			if digest != nil && *digest != d {
				return fmt.Sprintf("%s holds other records of slot %d than another owner", n.name, slot)
			}
			digest = &d
		}
	}
	return ""
}

package placement

import (
	"fmt"
	"slices"
	"strings"

	"ringkv/hashring"
)

// First returns generation 0: the one whose owners may begin empty. nodes may come in any order; of a long why, the beginning
// is kept.
func First(nodes []Node, replicas int, why string) (*Document, error) {
	d := &Document{Slots: hashring.Slots, Replicas: replicas, Nodes: sorted(nodes), Why: clip(why)}
	if _, err := d.Encode(); err != nil {
		return nil, err
	}
	return d, nil
}

// FixedDocument returns generation 0 for a list of nodes that never changes, all alike, their disks unknown.
func FixedDocument(ids []string, replicas int) (*Document, error) {
	nodes := make([]Node, len(ids))
	for i, id := range ids {
		nodes[i] = Node{ID: id, Weight: 1}
	}
	return First(nodes, replicas, "fixed list of nodes")
}

// Next returns the document that follows d: nodes, in any order, at one generation more, with d's own generation in the log. The log
// keeps as many generations as Consul has room for; the oldest go first. Of a long why, the beginning is kept.
func Next(d *Document, nodes []Node, why string) (*Document, error) {
	return follow(d, nodes, why, nil, nil)
}

func follow(d *Document, nodes []Node, why string, lost, left []string) (*Document, error) {
	log := append([]Entry{{Generation: d.Generation, Replicas: d.Replicas, Nodes: d.Nodes}}, d.explicitLog()...)
	log = log[:min(len(log), maxLog)]
	next := &Document{
		Generation: d.Generation + 1, Slots: d.Slots, Replicas: d.Replicas, Nodes: sorted(nodes), Why: clip(why), Log: log,
		Lost: extended(d.Lost, lost), Left: extended(d.Left, left),
	}
	return next.fitted()
}

// Above returns d with a generation above that one, d itself if it has one. The log then has a gap, and every slot's config is new at the
// generation after it, with the same owners: so nothing that was promised up to there, in whatever document, can be taken for it. As with
// Trim, it is for documents that aren't published yet.
func (d *Document) Above(generation uint64) (*Document, error) {
	if d.Generation > generation {
		return d, nil
	}
	lifted := *d
	lifted.Generation = generation + 1
	return lifted.fitted()
}

// fitted checks d, which nobody else has seen, and drops the oldest generations of its log that Consul has no room for.
func (d *Document) fitted() (*Document, error) {
	if err := d.Validate(); err != nil {
		return nil, fmt.Errorf("generation %d: %w", d.Generation, err)
	}
	for {
		_, err := d.Encode()
		switch {
		case err == nil:
			return d, nil
		case len(d.Log) <= 1:
			return nil, fmt.Errorf("generation %d: %w", d.Generation, err)
		}
		d.Log = d.Log[:len(d.Log)-1]
	}
}

// explicitLog is the log with the replicas of each entry spelled out, so that it means the same in a document that has another number.
func (d *Document) explicitLog() []Entry {
	log := slices.Clone(d.Log)
	for i := range log {
		if log[i].Replicas == 0 {
			log[i].Replicas = d.Replicas
		}
	}
	return log
}

// Trim returns d without the generations below lowest in its log. A config whose owners last changed before what is left
// of the log gets that log's oldest generation, which costs its slot one more hand-over, and nothing if lowest is not
// above the generation of any present config. As configs follow from the document, what Trim returns must never be
// published at its own generation: give it to Next.
func (d *Document) Trim(lowest uint64) *Document {
	t := *d
	t.Log = slices.DeleteFunc(slices.Clone(d.Log), func(e Entry) bool { return e.Generation < lowest })
	return &t
}

func sorted(nodes []Node) []Node {
	return slices.SortedFunc(slices.Values(nodes), func(a, b Node) int { return strings.Compare(a.ID, b.ID) })
}

// clip cuts why to what a document takes.
func clip(why string) string {
	if len(why) > maxWhy {
		why = why[:maxWhy-len("...")] + "..."
	}
	return strings.ToValidUTF8(why, "")
}

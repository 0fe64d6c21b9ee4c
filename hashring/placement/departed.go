package placement

import (
	"fmt"
	"slices"
)

// maxDeparted bounds Lost and Left. Of more, the newest are kept: the others have been away for hundreds of changes.
const maxDeparted = 256

// IsLost reports whether an operator has said that the node of this identity is gone for good: nobody waits for it, and
// nothing that it holds counts any more.
func (d *Document) IsLost(identity string) bool { return slices.Contains(d.Lost, identity) }

// HasLeft reports whether the node of this identity was asked to leave: it still gives away what it held, and isn't
// taken in again.
func (d *Document) HasLeft(identity string) bool { return slices.Contains(d.Left, identity) }

// Departed reports whether this identity must not be taken into a placement any more.
func (d *Document) Departed(identity string) bool { return d.IsLost(identity) || d.HasLeft(identity) }

// Identities returns the identities that the node called id has had in this generation or one of the log, the present one
// first.
func (d *Document) Identities(id string) []string {
	var out []string
	for _, e := range append([]Entry{{Nodes: d.Nodes}}, d.Log...) {
		if n, ok := find(e.Nodes, id); ok && !slices.Contains(out, Identity(n.ID, n.Disk)) {
			out = append(out, Identity(n.ID, n.Disk))
		}
	}
	return out
}

// NextLost is Next for nodes that are gone for good: lost names their identities, none of them in nodes. They stay named
// in all documents that follow.
func NextLost(d *Document, nodes []Node, lost []string, why string) (*Document, error) {
	return follow(d, nodes, why, lost, nil)
}

// NextLeft is Next for nodes that leave: left names their identities, none of them in nodes. They stay named as well.
func NextLeft(d *Document, nodes []Node, left []string, why string) (*Document, error) {
	return follow(d, nodes, why, nil, left)
}

// extended returns names with more behind them, each once, the newest of them.
func extended(names, more []string) []string {
	out := slices.Clone(names)
	for _, name := range more {
		if !slices.Contains(out, name) {
			out = append(out, name)
		}
	}
	return out[max(0, len(out)-maxDeparted):]
}

// checkDeparted reports what is wrong with Lost and Left.
func (d *Document) checkDeparted() error {
	for _, names := range [][]string{d.Lost, d.Left} {
		if len(names) > maxDeparted {
			return fmt.Errorf("%w: %d nodes are lost or have left, at most %d of each are allowed", ErrMalformed, len(names), maxDeparted)
		}
		for i, name := range names {
			switch {
			case name == "" || len(name) > 2*maxName+1 || !printableText(name):
				return fmt.Errorf("%w: %.64q is no identity of a node", ErrMalformed, name)
			case slices.Contains(names[:i], name):
				return fmt.Errorf("%w: %q is lost or has left twice", ErrMalformed, name)
			}
		}
	}
	for _, n := range d.Nodes {
		if identity := Identity(n.ID, n.Disk); d.Departed(identity) {
			return fmt.Errorf("%w: it lists %q, which is lost or has left", ErrMalformed, identity)
		}
	}
	return nil
}

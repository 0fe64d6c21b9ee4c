package placement

import (
	"errors"
	"slices"
	"time"

	"ringkv/hashring"
	"ringkv/hashring/membership"
)

// An Owner is a node that should hold a slot.
type Owner struct {
	ID      string
	Addr    string // host:port as it was last registered; empty if it never was seen
	Passing bool   // it passes its checks, on the disk that the placement names
}

// A View is one document and one answer about who is passing. It is immutable, and safe for concurrent use.
type View struct {
	tables *tables
	snap   *membership.Snapshot
	owners [hashring.Slots][]Owner
	peers  map[string]peer // the nodes of the placement, by id
}

// A peer is a node of the placement as membership knows it.
type peer struct {
	Owner
	since time.Time // when it was first seen not passing; zero while it passes
}

// NewView joins doc and snap. It fails only on a document that Validate refuses.
func NewView(doc *Document, snap *membership.Snapshot) (*View, error) {
	return (*View)(nil).Next(doc, snap)
}

// Next is NewView for the view that follows v: it carries on the addresses of nodes that don't pass any more and since when
// they don't, and reuses the tables, all of them if the document is the same.
func (v *View) Next(doc *Document, snap *membership.Snapshot) (*View, error) {
	if doc == nil || snap == nil {
		return nil, errors.New("a view takes a document and a membership snapshot")
	}
	var prev *tables
	if v != nil {
		prev = v.tables
	}
	t := prev
	if prev == nil || prev.doc != doc {
		var err error
		if t, err = newTables(doc, prev); err != nil {
			return nil, err
		}
	}
	next := &View{tables: t, snap: snap}
	next.meet(v)
	next.fill()
	return next, nil
}

// meet sets peers: who of the placement passes, and where they are or were last.
func (v *View) meet(prev *View) {
	doc := v.tables.doc
	v.peers = make(map[string]peer, len(doc.Nodes))
	passing := make(map[string]*membership.Member, len(v.snap.Members))
	for i := range v.snap.Members {
		passing[v.snap.Members[i].ID] = &v.snap.Members[i]
	}
	for _, n := range doc.Nodes {
		p := peer{Owner: Owner{ID: n.ID}, since: v.snap.Changed}
		if prev != nil {
			if old, ok := prev.peers[n.ID]; ok {
				p.Addr = old.Addr
				if !old.Passing {
					p.since = old.since
				}
			}
		}
		if m := passing[n.ID]; m != nil && m.Disk == n.Disk && v.agrees(m) {
			p = peer{Owner: Owner{ID: n.ID, Addr: m.Addr, Passing: true}}
		}
		v.peers[n.ID] = p
	}
}

// fill sets owners, all of them in one piece of memory.
func (v *View) fill() {
	all := make([]Owner, 0, hashring.Slots*v.tables.doc.Replicas)
	for slot := range v.owners {
		from := len(all)
		for _, identity := range v.tables.config(slot).Owners {
			id, _ := split(identity)
			all = append(all, v.peers[id].Owner)
		}
		v.owners[slot] = all[from:len(all):len(all)]
	}
}

// agrees reports whether m keeps as many copies as the placement says.
func (v *View) agrees(m *membership.Member) bool {
	return m.Replicas == 0 || m.Replicas == v.tables.doc.Replicas
}

// Document returns the document that v was made from.
func (v *View) Document() *Document { return v.tables.doc }

// Generation returns the generation of the document.
func (v *View) Generation() uint64 { return v.tables.doc.Generation }

// Slot returns the slot of key.
func (v *View) Slot(key string) int { return hashring.SlotOf(key) }

// Config returns the config of slot: shared, read only. It panics where slot is not in 0 to hashring.Slots-1.
func (v *View) Config(slot int) *Config { return v.tables.config(slot) }

// History returns the configs that slot has had, newest last, as far back as the document's log tells; see Document.History.
func (v *View) History(slot int) []Config { return v.tables.copyHistory(slot) }

// Owners returns the owners of slot in ring order: those of Config(slot), and whether each passes. It is shared: read
// only. It panics where slot is not in 0 to hashring.Slots-1, and allocates nothing.
func (v *View) Owners(slot int) []Owner { return v.owners[slot] }

// equal reports whether nobody could tell v from one made of doc and snap.
func (v *View) equal(doc *Document, snap *membership.Snapshot) bool {
	return v != nil && v.tables.doc == doc && (v.snap == snap || slices.Equal(v.snap.Members, snap.Members))
}

// passing returns the ids of the nodes that are asked, sorted.
func (v *View) passing() []string {
	var ids []string
	if v != nil {
		for _, n := range v.tables.doc.Nodes {
			if v.peers[n.ID].Passing {
				ids = append(ids, n.ID)
			}
		}
	}
	return ids
}

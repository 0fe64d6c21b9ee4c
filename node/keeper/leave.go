package keeper

import "ringkv/hashring/placement"

// leave proposes the placement without a node that asks to leave; nil if that is done.
func (s *state) leave(id, disk string) (*placement.Document, error) {
	if s.stored != nil && s.stored.HasLeft(placement.Identity(id, disk)) {
		return nil, nil
	}
	if err := s.mayLeave(id, disk); err != nil {
		return nil, err
	}
	switch {
	case s.uncertain():
		return nil, later("Consul was out of reach within the last %v", calm)
	case s.doubt():
		return nil, later("Consul doesn't hold all that nodes remember or have promised; the placement has to be written again first")
	case s.held(wish{}):
		return nil, later("generation %d has to settle first: waiting for %s", s.stored.Generation, names(s.moving()))
	}
	base, err := s.trimmed()
	if err != nil {
		return nil, err
	}
	var nodes []placement.Node
	for _, n := range base.Nodes {
		if n.ID != id {
			nodes = append(nodes, n)
		}
	}
	return placement.NextLeft(base, nodes, []string{placement.Identity(id, disk)}, id+" leaves")
}

// mayLeave says what forbids that the node leaves, apart from what passes by itself.
func (s *state) mayLeave(id, disk string) error {
	if s.stored == nil {
		return later("there is no placement in Consul yet")
	}
	if identity := placement.Identity(id, disk); s.stored.HasLeft(identity) {
		return nil
	}
	if !s.stored.Has(id, disk) {
		return refuse("node %s isn't part of the placement and holds nothing that others need: stop it instead", id)
	}
	others := 0
	for _, c := range s.passing {
		if c.ID != id && s.stored.Has(c.ID, c.Disk) {
			others++
		}
	}
	if others < s.stored.Replicas {
		return refuse("only %d other nodes of the placement pass, and each key has %d copies: start another node first, and ask again once it is in /ring", others, s.stored.Replicas)
	}
	return nil
}

package hashring

import (
	"fmt"
	"strings"
)

// Slots is the number of equal parts that the hash circle is cut into. It is fixed for a cluster's life.
const Slots = 1 << slotBits // 1,024

// slotBits is even: see taste.
const slotBits = 10

// MaxWeight is the largest weight of a member, which is also the largest that Consul accepts for a service.
const MaxWeight = 65535

// A Member is a node as the ring sees it.
type Member struct {
	ID     string
	Weight int    // its share of the ring, relative to the others'; 1 to MaxWeight
	Zone   string // copies of a slot go to distinct zones as far as there are any; may be empty
}

// byID orders members.
func byID(a, b Member) int { return strings.Compare(a.ID, b.ID) }

// check returns what keeps sorted from being the members of a ring.
func check(sorted []Member, replicas int) error {
	if replicas < 1 {
		return fmt.Errorf("ring: replicas is %d, must be at least 1", replicas)
	}
	for i, m := range sorted {
		switch {
		case m.ID == "":
			return fmt.Errorf("ring: a member has no id")
		case m.Weight < 1 || m.Weight > MaxWeight:
			return fmt.Errorf("ring: weight of %s is %d, must be from 1 to %d", m.ID, m.Weight, MaxWeight)
		case i > 0 && sorted[i-1].ID == m.ID:
			return fmt.Errorf("ring: two members have the id %s: ids must be distinct", m.ID)
		}
	}
	return nil
}

package hashring

// Slots is the number of equal parts that the hash circle is cut into. It is fixed for a cluster's life.
const Slots = 1024

// A Member is a node as the ring sees it.
type Member struct {
	ID     string
	Weight int    // its share of the ring, relative to the others'; at least 1
	Zone   string // copies of a slot go to distinct zones as far as there are any; may be empty
}

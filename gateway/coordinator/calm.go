package coordinator

import "time"

// wary is how long puts ask first after one of their owners has refused to store something, though nothing newer stood there.
const wary = 5 * time.Second

// calm reports whether all owners can be expected to tell what became of a write. While one says nothing, or has no room, a write that meets another
// could stay in doubt: it takes the answers of all to know. It must be decided before the first copy is sent.
func (o *operation) calm() bool {
	for _, owner := range o.owners {
		if !owner.Passing || o.c.peers.Silent(owner.ID) || o.c.refusers.has(owner.ID) {
			return false
		}
	}
	return true
}

package api

import "github.com/gin-gonic/gin"

// A Ring is what /ring shows: who holds what, and who of them can be asked.
type Ring struct {
	Generation uint64     `json:"generation"`  // of the placement
	Age        float64    `json:"age_seconds"` // since its source last confirmed it
	Replicas   int        `json:"replicas"`    // copies of each key
	Slots      int        `json:"slots"`       // that the circle is cut into
	Nodes      []RingNode `json:"nodes"`       // of the placement, and passing
	Away       []AwayNode `json:"away"`        // of the placement, and not passing
	Joining    []RingNode `json:"joining"`     // passing, and not in the placement yet
	Lost       []string   `json:"lost"`        // given up for good
	Move       *Move      `json:"move"`        // what is under way; null when all that pass hold what they should
}

// A Move is the way from one generation of the placement into another, as the nodes say how far they have come.
type Move struct {
	From     uint64   `json:"from"` // the generation that all nodes hold everything of
	To       uint64   `json:"to"`
	Why      string   `json:"why,omitempty"`
	Slots    int      `json:"slots"`    // copies of slots that come to other owners, those on nodes that don't pass left out
	Settled  int      `json:"settled"`  // of those: the owner holds everything
	Progress float64  `json:"progress"` // the same as a part, 0 to 1
	Waiting  []string `json:"waiting"`  // nodes that pass and don't hold everything yet, or didn't say
}

// A RingNode is a node that passes its checks.
type RingNode struct {
	ID      string  `json:"id"`
	Address string  `json:"address"`
	Zone    string  `json:"zone"` // empty for none
	Weight  int     `json:"weight"`
	Slots   int     `json:"slots"` // that it holds a copy of
	Share   float64 `json:"share"` // of all copies, 0 to 1
}

// An AwayNode is a node that should hold something, and isn't passing.
type AwayNode struct {
	ID     string `json:"id"`
	Zone   string `json:"zone"`
	Weight int    `json:"weight"`
	Slots  int    `json:"slots"`
	Since  string `json:"since,omitempty"` // RFC 3339
}

// KeyOwners is what /ring/owners shows.
type KeyOwners struct {
	Key        string     `json:"key"`
	Slot       int        `json:"slot"`
	Generation uint64     `json:"generation"` // at which the owners of the slot last changed
	Owners     []KeyOwner `json:"owners"`     // in the order of the ring
}

// A KeyOwner is a node that should hold the key.
type KeyOwner struct {
	ID      string `json:"id"`
	Address string `json:"address,omitempty"` // empty where it isn't passing
	Passing bool   `json:"passing"`
}

func (g *Gateway) ring(c *gin.Context) Outcome {
	ring, ok := g.Ring(c.Request.Context())
	if !ok {
		return noRing(c)
	}
	// Lists that are empty are shown as such: null is nothing that a script expects.
	ring.Nodes = append([]RingNode{}, ring.Nodes...)
	ring.Away = append([]AwayNode{}, ring.Away...)
	ring.Joining = append([]RingNode{}, ring.Joining...)
	ring.Lost = append([]string{}, ring.Lost...)
	return JSON(c, ring)
}

func (g *Gateway) owners(c *gin.Context) Outcome {
	given := parameter(c.Request, "key")
	if given == "" {
		return Fail(c, Problem{Outcome: BadKey, Detail: "name a key: /ring/owners?key=mykey1"})
	}
	key, bad := checkKey(given)
	if bad != nil {
		return Fail(c, *bad)
	}
	owners, ok := g.Owners(key)
	if !ok {
		return noRing(c)
	}
	owners.Owners = append([]KeyOwner{}, owners.Owners...)
	return JSON(c, owners)
}

func noRing(c *gin.Context) Outcome {
	return Fail(c, Problem{Outcome: NoRing, Detail: "no ring is known yet: are nodes registered and passing, and is Consul reachable?"})
}

// Package api is the HTTP edge of a node: /kv/, served by the same code as on a gateway, and what only a node can show or
// do. Handlers translate; they decide nothing.
package api

import (
	"fmt"
	"log/slog"
	"net/http"

	"github.com/gin-gonic/gin"
	"github.com/prometheus/client_golang/prometheus"

	edge "ringkv/gateway/api"
)

// A Node is all that the routes of a node show and do. The functions are safe for concurrent use.
type Node struct {
	Coordinator edge.Coordinator
	Limits      edge.Limits
	Registry    *prometheus.Registry // of /metrics; the metrics of the HTTP edge are added to it
	Log         *slog.Logger

	Wire       http.Handler               // of /wire; it takes the connection over
	Health     func() Health              // returns at once
	Status     func() any                 // what /status shows, as JSON
	Local      LocalFunc                  // of /local/
	Is         func(id, disk string) bool // this node has that id and data directory
	Placement  func() ([]byte, bool)      // the placement document that the node remembers, as JSON; false if none
	Move       func() (any, bool)         // how far the node has come with the placement; false while it knows none
	Leave      LeaveFunc                  // of /leave
	Lose       LoseFunc                   // of /lost
	Destroy    func()                     // kills the process at once
	MayDestroy Access                     // to /leave and /lost as well
}

// New returns the routes of a node.
func New(n Node) *edge.Router {
	r := edge.NewRouter(n.Registry, n.Log)
	edge.MountKV(r, n.Coordinator, n.Limits)
	r.Get("/health-check", edge.Health(func() edge.HealthPage { return n.Health().page() }))
	r.Get("/status", func(c *gin.Context) edge.Outcome { return edge.JSON(c, n.Status()) })
	r.Get("/metrics", edge.Metrics(n.Registry))
	r.Get("/placement", n.placement)
	r.Get("/move", n.move)
	r.Get(localPrefix+"*key", n.local)
	r.Handle(http.MethodPost, "/leave", n.leave)
	r.Handle(http.MethodGet, "/lost", n.lost)
	r.Handle(http.MethodPost, "/lost", n.lost)
	r.Handle(http.MethodGet, "/destroy", n.destroy)
	r.Handle(http.MethodPost, "/destroy", n.destroy)
	r.Mount(http.MethodGet, "/wire", n.Wire)
	return r
}

// Health is what a node says of itself to Consul. It holds nothing that changes while nothing happens.
type Health struct {
	State  edge.State
	Reason string // why it isn't ready
	Waits  string // why it serves no requests yet although its check is to pass

	ID, Version, Zone, Store string
	Members                  int // nodes on the ring
	Slots                    int // slots that this node holds a copy of
	AllSlots                 int
	Leaving                  bool
}

func (h Health) page() edge.HealthPage {
	zone := h.Zone
	if zone == "" {
		zone = "-"
	}
	lines := []string{
		fmt.Sprintf("node: %s  version: %s  zone: %s  store: %s", h.ID, h.Version, zone, h.Store),
		fmt.Sprintf("ring: %d nodes  here: %d of %d slots", h.Members, h.Slots, h.AllSlots),
	}
	if h.Leaving {
		lines = append(lines, "leaving for good: /status says how far it is")
	}
	return edge.HealthPage{ID: h.ID, State: h.State, Reason: h.Reason, Waits: h.Waits, Lines: lines}
}

// another refuses a question that was meant for another node.
var another = edge.Problem{Outcome: edge.NotReady, Detail: "this is another node, or the same on another data directory"}

// meant reports whether this node is the one that is asked: a peer asks one in particular, and must not take another one's
// word for it.
func (n *Node) meant(c *gin.Context) bool {
	id := c.Query("node")
	return id == "" || n.Is(id, c.Query("disk"))
}

func (n *Node) move(c *gin.Context) edge.Outcome {
	if !n.meant(c) {
		return edge.Fail(c, another)
	}
	move, ok := n.Move()
	if !ok {
		return edge.Fail(c, edge.Problem{Outcome: edge.NotReady, Detail: "this node has not seen a placement yet"})
	}
	return edge.JSON(c, move)
}

func (n *Node) placement(c *gin.Context) edge.Outcome {
	if !n.meant(c) {
		return edge.Fail(c, another)
	}
	doc, ok := n.Placement()
	if !ok {
		return edge.Fail(c, edge.Problem{Outcome: edge.NotFound, Detail: "this node has not seen a placement yet"})
	}
	return edge.RawJSON(c, http.StatusOK, doc)
}

package api

import (
	"context"
	"encoding/json"
	"net/http"
	"slices"

	"github.com/gin-gonic/gin"

	edge "ringkv/gateway/api"
)

// A LeaveFunc takes this node out of the cluster for good, or says why not. It returns how far that is.
type LeaveFunc func(ctx context.Context) (any, *edge.Problem)

// A LoseFunc gives up the nodes of these names for good, or says why not. It returns what that costs, and without write that is all.
type LoseFunc func(ctx context.Context, nodes []string, write bool) (any, *edge.Problem)

// maxLost bounds how many nodes one request gives up.
const maxLost = 64

// may reports whether the request comes from where /destroy is allowed; if not, it has been answered.
func (n *Node) may(c *gin.Context) (outcome edge.Outcome, ok bool) {
	switch {
	case n.MayDestroy != Any && n.MayDestroy != Loopback:
		return edge.Fail(c, edge.Problem{Outcome: edge.NotFound, Detail: "this node takes no orders over HTTP: it was started with -destroy off"}), false
	case !n.MayDestroy.allows(c.Request.RemoteAddr):
		return edge.Fail(c, edge.Problem{Outcome: edge.Forbidden, Detail: "only from the node's own machine: see -destroy"}), false
	}
	return edge.OK, true
}

func (n *Node) leave(c *gin.Context) edge.Outcome {
	if outcome, ok := n.may(c); !ok {
		return outcome
	}
	at, problem := n.Leave(c.Request.Context())
	if problem != nil {
		return edge.Fail(c, *problem)
	}
	n.Log.Warn("asked to leave", "from", c.Request.RemoteAddr)
	return accepted(c, "leaving", at)
}

// lost says what giving up the nodes in ?node=… would cost; a POST does it.
func (n *Node) lost(c *gin.Context) edge.Outcome {
	if outcome, ok := n.may(c); !ok {
		return outcome
	}
	nodes := c.QueryArray("node")
	if len(nodes) == 0 || len(nodes) > maxLost || slices.Contains(nodes, "") {
		return edge.Fail(c, edge.Problem{Outcome: edge.BadRequest, Detail: "name the nodes, 64 at most: /lost?node=node-x&node=node-y; GET says what would be lost, POST gives them up"})
	}
	write := c.Request.Method == http.MethodPost
	loss, problem := n.Lose(c.Request.Context(), nodes, write)
	switch {
	case problem != nil:
		return edge.Fail(c, *problem)
	case write:
		n.Log.Warn("nodes given up for good", "nodes", nodes, "from", c.Request.RemoteAddr)
		return accepted(c, "loss", loss)
	}
	return edge.JSON(c, map[string]any{"success": true, "loss": loss})
}

// accepted answers 202 with what has begun.
func accepted(c *gin.Context, name string, what any) edge.Outcome {
	body, err := json.MarshalIndent(map[string]any{"success": true, name: what}, "", "  ")
	if err != nil {
		return edge.Fail(c, edge.Problem{Outcome: edge.Internal, Detail: "it has begun, and the answer can't be shown as JSON", Unknown: true})
	}
	return edge.RawJSON(c, http.StatusAccepted, append(body, '\n'))
}

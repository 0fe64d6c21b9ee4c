package api

import (
	"net/http"
	"net/netip"
	"strconv"

	"github.com/gin-gonic/gin"

	edge "ringkv/gateway/api"
)

// An Access says from where something may be asked of a node. What counts is the address that the connection comes from,
// never a header.
type Access string

// The accesses.
const (
	Loopback Access = "loopback" // from the machine itself
	Any      Access = "any"
	Off      Access = "off"
)

// allows reports whether a connection from remote, as in http.Request.RemoteAddr, has this access.
func (a Access) allows(remote string) bool {
	if a == Any {
		return true
	}
	from, err := netip.ParseAddrPort(remote)
	return a == Loopback && err == nil && from.Addr().Unmap().IsLoopback()
}

// destroy answers, and then kills the process: no clean-up, no deregistration. Consul has to find out by itself.
func (n *Node) destroy(c *gin.Context) edge.Outcome {
	if outcome, ok := n.may(c); !ok {
		return outcome
	}
	n.Log.Warn("killed by request", "from", c.Request.RemoteAddr)
	body := []byte(`{"success":true}`)
	c.Header("Connection", "close")
	c.Header("Content-Length", strconv.Itoa(len(body))) // else the end of the body would come after the end of the process
	outcome := edge.RawJSON(c, http.StatusAccepted, body)
	c.Writer.Flush()
	n.Destroy()
	return outcome
}

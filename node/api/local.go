package api

import (
	"net/http"
	"strconv"

	"github.com/gin-gonic/gin"

	edge "ringkv/gateway/api"
	"ringkv/node/record"
)

const localPrefix = "/local/"

// A Local is what one node holds of a key, by itself, whatever the other owners hold.
type Local struct {
	Record record.Record
	Slot   int
	State  string // of the slot on this node, in a word
}

// LocalFunc looks a key up in the node's own store; ok is false when it holds no record of it, a deletion included.
type LocalFunc func(key string) (l Local, ok bool, err error)

func (n *Node) local(c *gin.Context) edge.Outcome {
	key, bad := edge.PathKey(c.Request, localPrefix)
	if bad != nil {
		return edge.Fail(c, *bad)
	}
	l, ok, err := n.Local(key)
	switch {
	case err != nil:
		n.Log.Error("record can't be read", "err", err)
		return edge.Fail(c, edge.Problem{Outcome: edge.Internal, Key: key, Detail: "this node can't read its record; its log says why"})
	case !ok:
		return edge.Fail(c, edge.Problem{Outcome: edge.NotFound, Key: key, Detail: "this node holds no record of this key"})
	}
	c.Writer.Header().Set("ETag", `"`+l.Record.Version.String()+`"`)
	return edge.RawJSON(c, http.StatusOK, l.append(nil, key))
}

func (l *Local) append(b []byte, key string) []byte {
	b = append(b, `{"success":true,"key":`...)
	b = edge.AppendString(b, key)
	if !l.Record.Deleted {
		b = edge.AppendValue(b, l.Record.Value)
	}
	if l.Record.Type != "" {
		b = append(b, `,"type":`...)
		b = edge.AppendString(b, l.Record.Type)
	}
	b = append(b, `,"version":"`...)
	b = l.Record.Version.AppendText(b)
	b = append(b, `","deleted":`...)
	b = strconv.AppendBool(b, l.Record.Deleted)
	b = append(b, `,"slot":`...)
	b = strconv.AppendInt(b, int64(l.Slot), 10)
	b = append(b, `,"state":`...)
	b = edge.AppendString(b, l.State)
	return append(b, '}')
}

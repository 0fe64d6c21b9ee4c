package api

import (
	"net/http"
	"strconv"

	"github.com/gin-gonic/gin"

	"ringkv/gateway/coordinator"
	"ringkv/node/record"
)

// minRead is the least that a read takes of the room in memory. How much its value takes isn't known before it is there;
// until then the read takes as much as others turned out to need.
const minRead = 4 << 10

func (k *kv) read(c *gin.Context) Outcome {
	key, bad := PathKey(c.Request, kvPrefix)
	if bad != nil {
		return Fail(c, *bad)
	}
	taken := max(k.typical.Load(), minRead)
	if !k.inflight.take(taken) {
		return k.overloaded(c, key)
	}
	defer func() { k.inflight.give(taken) }()
	query := c.Request.URL.RawQuery
	opt := coordinator.ReadOptions{Stale: query != "" && hasParameter(query, "stale")}
	if opt.Stale {
		c.Writer.Header()["Ringkv-Stale"] = staleAnswer
	}
	r, err := k.coordinator.Get(c.Request.Context(), key, opt)
	switch {
	case err != nil:
		return Fail(c, readProblem(key, err))
	case !r.Exists():
		return Fail(c, Problem{Outcome: NotFound, Key: key, Detail: "no value is stored under this key"})
	}
	size := int64(len(r.Value))
	k.learn(size)
	if more := size - taken; more > 0 {
		if !k.inflight.take(more) {
			return k.overloaded(c, key)
		}
		taken += more
	}
	return answerRead(c, key, &r)
}

// learn moves the typical size towards that of one more value. That an update is lost now and then does no harm.
func (k *kv) learn(size int64) {
	typical := k.typical.Load()
	if step := (size - typical) / 16; step != 0 {
		k.typical.Store(typical + step)
	}
}

// answerRead shows r, as the conditions and the wishes in the request want it.
func answerRead(c *gin.Context, key string, r *record.Record) Outcome {
	etag := entityTag(r.Known())
	in, h := c.Request.Header, c.Writer.Header()
	h["Etag"] = []string{etag}
	h["Cache-Control"] = noCache
	h["Vary"] = varyAccept
	if lists, ok := in["If-Match"]; ok && !matches(lists, etag, false) {
		return Fail(c, Problem{Outcome: PreconditionFailed, Key: key, Detail: "the value has another version: see ETag"})
	}
	if matches(in["If-None-Match"], etag, true) {
		c.Writer.WriteHeader(http.StatusNotModified)
		return NotModified
	}
	if len(r.Value) > piece {
		hurry(c, len(r.Value))
	}
	head := c.Request.Method == http.MethodHead
	if head || wantsRaw(c.Request) {
		answerRaw(c, r, head)
		return OK
	}
	h["Content-Type"] = jsonType
	if len(r.Value) > piece {
		streamGet(c, key, r)
		return OK
	}
	buf := takeBuffer()
	*buf = appendGet((*buf)[:0], key, r)
	send(c, http.StatusOK, *buf)
	giveBuffer(buf)
	return OK
}

// answerRaw answers with the value as it was stored. A browser is told to take nothing in it for a page of this origin.
func answerRaw(c *gin.Context, r *record.Record, head bool) {
	h := c.Writer.Header()
	h["Content-Type"] = octetStream
	if r.Type != "" {
		h["Content-Type"] = []string{r.Type}
	}
	h["X-Content-Type-Options"] = nosniff
	h["Content-Security-Policy"] = sandbox
	h["Content-Length"] = []string{strconv.Itoa(len(r.Value))}
	c.Writer.WriteHeader(http.StatusOK)
	if !head {
		_ = writeBody(c, r.Value) // if this fails, the client is gone
	}
}

func entityTag(v record.Version) string {
	var b [48]byte
	return string(append(v.AppendText(append(b[:0], '"')), '"'))
}

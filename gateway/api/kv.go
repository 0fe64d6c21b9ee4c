package api

import (
	"context"
	"net/http"
	"strconv"
	"time"

	"github.com/gin-gonic/gin"

	"ringkv/gateway/coordinator"
	"ringkv/node/record"
)

// A Coordinator carries out what /kv/ is asked for. It is safe for concurrent use. Its errors are *coordinator.Error.
type Coordinator interface {
	Get(ctx context.Context, key string, opt coordinator.ReadOptions) (record.Record, error)
	Put(ctx context.Context, key string, value []byte, contentType string) (record.Version, error)
	Delete(ctx context.Context, key string) (v record.Version, deleted bool, err error)
}

// Limits bound what requests may cost. Zero fields stand for the defaults.
type Limits struct {
	MaxValue    int64         // bytes of the largest value; 1 MiB
	MaxInflight int64         // bytes of all values in memory at once, never less than MaxValue; 64 MiB
	Timeout     time.Duration // of one request, all tries of the coordinator together, its body not counted; 2 s
	BodyGrace   time.Duration // how long a body may take, beside a second for each 128 KiB of it; 5 s
}

func (l Limits) withDefaults() Limits {
	if l.MaxValue <= 0 {
		l.MaxValue = 1 << 20
	}
	if l.MaxInflight <= 0 {
		l.MaxInflight = 64 << 20
	}
	l.MaxInflight = max(l.MaxInflight, l.MaxValue)
	if l.Timeout <= 0 {
		l.Timeout = 2 * time.Second
	}
	if l.BodyGrace <= 0 {
		l.BodyGrace = bodyGrace
	}
	return l
}

// kv serves /kv/. Gateways and nodes serve it alike, each over a coordinator of its own.
type kv struct {
	coordinator Coordinator
	limits      Limits
	inflight    *inflight
}

const kvPrefix = "/kv/"

// MountKV adds the routes of /kv/ to r. It is called once for a router.
func MountKV(r *Router, c Coordinator, limits Limits) {
	limits = limits.withDefaults()
	k := &kv{coordinator: c, limits: limits, inflight: &inflight{limit: limits.MaxInflight}}
	r.metrics.watchInflight(k.inflight)
	const route = kvPrefix + "*key"
	r.Handle(http.MethodGet, route, k.read)
	r.Handle(http.MethodHead, route, k.read)
	r.Handle(http.MethodPut, route, k.put)
	r.Handle(http.MethodDelete, route, k.delete)
}

// What a read takes of the room in memory before the size of its value is known.
const readReserve = 4 << 10

func (k *kv) read(c *gin.Context) Outcome {
	key, bad := PathKey(c.Request, kvPrefix)
	if bad != nil {
		return Fail(c, *bad)
	}
	if !k.inflight.take(readReserve) {
		return k.overloaded(c, key)
	}
	defer k.inflight.give(readReserve)
	query := c.Request.URL.RawQuery
	opt := coordinator.ReadOptions{Stale: query != "" && hasParameter(query, "stale")}
	ctx, cancel := context.WithTimeout(c.Request.Context(), k.limits.Timeout)
	defer cancel()
	r, err := k.coordinator.Get(ctx, key, opt)
	if opt.Stale {
		c.Writer.Header()["Ringkv-Stale"] = staleAnswer
	}
	switch {
	case err != nil:
		return Fail(c, readProblem(key, err))
	case !r.Exists():
		return Fail(c, Problem{Outcome: NotFound, Key: key, Detail: "no value is stored under this key"})
	}
	size := int64(len(r.Value))
	if !k.inflight.take(size) {
		return k.overloaded(c, key)
	}
	defer k.inflight.give(size)
	return answerRead(c, key, &r)
}

// answerRead shows r, as the conditions and the wishes in the request want it.
func answerRead(c *gin.Context, key string, r *record.Record) Outcome {
	etag := entityTag(r.Version)
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
	head := c.Request.Method == http.MethodHead
	if head || wantsRaw(c.Request) {
		answerRaw(c, r, head)
		return OK
	}
	h["Content-Type"] = jsonType
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
		_, _ = c.Writer.Write(r.Value)
	}
}

func (k *kv) put(c *gin.Context) Outcome {
	key, bad := PathKey(c.Request, kvPrefix)
	if bad != nil {
		return Fail(c, *bad)
	}
	contentType, bad := putHeaders(c.Request)
	if bad != nil {
		return k.refuse(c, key, bad)
	}
	size, bad := bodySize(c.Request, k.limits.MaxValue)
	if bad != nil {
		return k.refuse(c, key, bad)
	}
	if !k.inflight.take(size) {
		return k.overloaded(c, key)
	}
	defer k.inflight.give(size)
	value, bad := readBody(c, size, k.limits.BodyGrace)
	if bad != nil {
		return k.refuse(c, key, bad)
	}
	ctx, cancel := context.WithTimeout(c.Request.Context(), k.limits.Timeout)
	defer cancel()
	version, err := k.coordinator.Put(ctx, key, value, contentType)
	if err != nil {
		return Fail(c, writeProblem(key, err))
	}
	c.Writer.Header()["Etag"] = []string{entityTag(version)}
	return k.done(c, func(b []byte) []byte { return appendPut(b, key, version) })
}

// putHeaders returns the type to store with the value, or why the request can't be done as its headers ask.
func putHeaders(r *http.Request) (contentType string, bad *Problem) {
	if why := unsupportedWrite(r); why != "" {
		return "", &Problem{Outcome: NotSupported, Detail: why}
	}
	if _, ok := r.Header["Content-Range"]; ok {
		return "", &Problem{Outcome: NotSupported, Detail: "a part of a value can't be written: send the whole, without Content-Range"}
	}
	return valueType(r.Header)
}

func (k *kv) delete(c *gin.Context) Outcome {
	key, bad := PathKey(c.Request, kvPrefix)
	if bad != nil {
		return Fail(c, *bad)
	}
	if why := unsupportedWrite(c.Request); why != "" {
		return Fail(c, Problem{Outcome: NotSupported, Key: key, Detail: why})
	}
	if bodyPending(c.Request) {
		return Fail(c, Problem{Outcome: BadRequest, Key: key, Detail: "a DELETE has no body"})
	}
	ctx, cancel := context.WithTimeout(c.Request.Context(), k.limits.Timeout)
	defer cancel()
	_, deleted, err := k.coordinator.Delete(ctx, key)
	if err != nil {
		return Fail(c, writeProblem(key, err))
	}
	return k.done(c, func(b []byte) []byte { return appendDelete(b, key, deleted) })
}

// done answers a write that came through.
func (k *kv) done(c *gin.Context, body func([]byte) []byte) Outcome {
	h := c.Writer.Header()
	h["Content-Type"] = jsonType
	h["Cache-Control"] = noStore
	buf := takeBuffer()
	*buf = body((*buf)[:0])
	send(c, http.StatusOK, *buf)
	giveBuffer(buf)
	return OK
}

func (k *kv) refuse(c *gin.Context, key string, bad *Problem) Outcome {
	bad.Key = key
	return Fail(c, *bad)
}

func (k *kv) overloaded(c *gin.Context, key string) Outcome {
	return Fail(c, Problem{Outcome: Overloaded, Key: key, Detail: "the requests under way hold all the memory they may: try again in a moment, or see -max-inflight"})
}

func entityTag(v record.Version) string {
	var b [48]byte
	return string(append(v.AppendText(append(b[:0], '"')), '"'))
}

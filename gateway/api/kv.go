package api

import (
	"context"
	"errors"
	"net/http"
	"sync/atomic"
	"time"

	"github.com/gin-gonic/gin"

	"ringkv/gateway/coordinator"
	"ringkv/node/record"
)

// A Coordinator carries out what /kv/ is asked for, each in a time that it bounds by itself. It is safe for concurrent use. Its errors
// are *coordinator.Error.
type Coordinator interface {
	Get(ctx context.Context, key string, opt coordinator.ReadOptions) (record.Record, error)
	Put(ctx context.Context, key string, value []byte, contentType string) (record.Version, error)
	PutIf(ctx context.Context, key string, value []byte, contentType string, holds coordinator.Condition) (record.Version, error)
	Delete(ctx context.Context, key string) (v record.Version, deleted bool, err error)
	DeleteIf(ctx context.Context, key string, holds coordinator.Condition) (v record.Version, deleted bool, err error)
}

// Limits bound what requests may cost. Zero fields stand for the defaults.
type Limits struct {
	MaxValue    int64         // bytes of the largest value; 1 MiB
	MaxInflight int64         // bytes of all values in memory at once, never less than MaxValue; 64 MiB
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
	typical     atomic.Int64 // bytes of a value that was read, on a moving average
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

func (k *kv) put(c *gin.Context) Outcome {
	key, bad := PathKey(c.Request, kvPrefix)
	if bad != nil {
		return Fail(c, *bad)
	}
	contentType, holds, bad := putHeaders(c.Request)
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
	ctx := c.Request.Context()
	var version record.Version
	var err error
	if holds == nil {
		version, err = k.coordinator.Put(ctx, key, value, contentType)
	} else {
		version, err = k.coordinator.PutIf(ctx, key, value, contentType, holds)
	}
	if err != nil {
		return k.failed(c, key, err)
	}
	c.Writer.Header()["Etag"] = []string{entityTag(version)}
	return k.done(c, func(b []byte) []byte { return appendPut(b, key, version) })
}

// failed answers a write that ended in err. Whose condition doesn't hold learns what is there.
func (k *kv) failed(c *gin.Context, key string, err error) Outcome {
	var e *coordinator.Error
	if errors.As(err, &e) && !e.Present.IsZero() {
		c.Writer.Header()["Etag"] = []string{entityTag(e.Present)}
	}
	return Fail(c, writeProblem(key, err))
}

// putHeaders returns the type to store with the value, and the condition under which to do so, or why the request can't be done as its headers ask.
func putHeaders(r *http.Request) (contentType string, holds coordinator.Condition, bad *Problem) {
	if holds, bad = writeHeaders(r); bad != nil {
		return "", nil, bad
	}
	if _, ok := r.Header["Content-Range"]; ok {
		return "", nil, &Problem{Outcome: NotSupported, Detail: "a part of a value can't be written: send the whole, without Content-Range"}
	}
	contentType, bad = valueType(r.Header)
	return contentType, holds, bad
}

// writeHeaders returns the condition of a PUT or a DELETE, nil for none.
func writeHeaders(r *http.Request) (coordinator.Condition, *Problem) {
	if why := unsupportedWrite(r); why != "" {
		return nil, &Problem{Outcome: NotSupported, Detail: why}
	}
	return precondition(r.Header)
}

func (k *kv) delete(c *gin.Context) Outcome {
	key, bad := PathKey(c.Request, kvPrefix)
	if bad != nil {
		return Fail(c, *bad)
	}
	holds, bad := writeHeaders(c.Request)
	if bad != nil {
		return k.refuse(c, key, bad)
	}
	if bodyPending(c.Request) {
		return Fail(c, Problem{Outcome: BadRequest, Key: key, Detail: "a DELETE has no body"})
	}
	ctx := c.Request.Context()
	var deleted bool
	var err error
	if holds == nil {
		_, deleted, err = k.coordinator.Delete(ctx, key)
	} else {
		_, deleted, err = k.coordinator.DeleteIf(ctx, key, holds)
	}
	if err != nil {
		return k.failed(c, key, err)
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
	return Fail(c, Problem{Outcome: Overloaded, Key: key, Detail: "the requests under way hold all the memory they may: try again in a moment"})
}

package api

import (
	"encoding/json"
	"net/http"
	"strconv"
	"sync"

	"github.com/gin-gonic/gin"
)

// Header values that are always the same are shared by all answers. Nothing changes them.
var (
	jsonType        = []string{"application/json"}
	problemType     = []string{"application/problem+json"}
	textType        = []string{"text/plain; charset=utf-8"}
	octetStream     = []string{"application/octet-stream"}
	noCache         = []string{"no-cache"} // a cache may keep it, and asks each time whether it still holds
	noStore         = []string{"no-store"}
	nosniff         = []string{"nosniff"}
	sandbox         = []string{"sandbox"}
	varyAccept      = []string{"Accept"}
	retryAfter      = []string{"1"} // second
	connectionClose = []string{"close"}
	staleAnswer     = []string{"true"}
)

// net/http finds the length of shorter bodies by itself.
const lengthFrom = 2048

// send writes the head and the body of an answer. That the client is gone is no error of ours, and nobody is left to be
// told.
func send(c *gin.Context, status int, body []byte) {
	if len(body) >= lengthFrom {
		c.Writer.Header()["Content-Length"] = []string{strconv.Itoa(len(body))}
	}
	c.Writer.WriteHeader(status)
	_ = writeBody(c, body)
}

// Text answers with lines for people.
func Text(c *gin.Context, status int, body string) {
	h := c.Writer.Header()
	h["Content-Type"] = textType
	h["Cache-Control"] = noStore
	h["X-Content-Type-Options"] = nosniff
	send(c, status, []byte(body))
}

// JSON answers 200 with v, indented for people.
func JSON(c *gin.Context, v any) Outcome {
	body, err := json.MarshalIndent(v, "", "  ")
	if err != nil {
		return Fail(c, Problem{Outcome: Internal, Detail: "the answer can't be shown as JSON"})
	}
	return RawJSON(c, http.StatusOK, append(body, '\n'))
}

// RawJSON answers with a body that is JSON already.
func RawJSON(c *gin.Context, status int, body []byte) Outcome {
	h := c.Writer.Header()
	h["Content-Type"] = jsonType
	h["Cache-Control"] = noStore
	send(c, status, body)
	return OK
}

// buffers holds room to put answers together in. A buffer that had to grow beyond keepBuffer is not kept.
var buffers = sync.Pool{New: func() any { b := make([]byte, 0, 1024); return &b }}

const keepBuffer = 64 << 10

func takeBuffer() *[]byte { return buffers.Get().(*[]byte) }

func giveBuffer(b *[]byte) {
	if cap(*b) <= keepBuffer {
		buffers.Put(b)
	}
}

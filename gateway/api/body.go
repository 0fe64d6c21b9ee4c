package api

import (
	"errors"
	"io"
	"net/http"
	"os"
	"time"

	"github.com/gin-gonic/gin"
)

// A body, and an answer with a large value, may take bodyGrace and the time that its length takes at bodyRate. Longer
// than that, whoever trickles bytes would hold memory that others need.
const (
	bodyGrace = 5 * time.Second
	bodyRate  = 128 << 10 // bytes a second
)

// bodySize returns how many bytes a body may turn out to have: its length where that is given, the cap where it comes in
// chunks. It reads nothing.
func bodySize(r *http.Request, maxValue int64) (int64, *Problem) {
	if r.ContentLength > maxValue {
		return 0, tooLarge()
	}
	if r.ContentLength < 0 {
		return maxValue, nil
	}
	// net/http takes a request with neither length nor chunks for an empty one. An empty value has to be meant.
	if r.ContentLength == 0 && len(r.Header["Content-Length"]) == 0 {
		return 0, &Problem{Outcome: LengthRequired, Detail: "send Content-Length, 0 for an empty value, or Transfer-Encoding: chunked"}
	}
	return r.ContentLength, nil
}

func tooLarge() *Problem {
	return &Problem{Outcome: ValueTooLarge, Detail: "the value is larger than this server takes: see -max-value"}
}

// readBody reads the whole body, of size bytes at most as bodySize said. What it returns is nobody else's.
func readBody(c *gin.Context, size int64, grace time.Duration) ([]byte, *Problem) {
	if size == 0 {
		return nil, nil
	}
	ctl := http.NewResponseController(c.Writer)
	limit := time.Now().Add(grace + transfer(size))
	// Where the connection knows no deadlines, the server's own have to do.
	_ = ctl.SetReadDeadline(limit)
	if size > piece {
		_ = ctl.SetWriteDeadline(limit.Add(writeTimeout)) // the server's began with the headers
	}
	value, err := readAll(c.Request, size)
	if err != nil {
		c.Writer.Header()["Connection"] = connectionClose
		return nil, bodyProblem(err)
	}
	// From here on the deadline would cancel the request in the coordinator's hands.
	_ = ctl.SetReadDeadline(time.Time{})
	if int64(len(value)) > size {
		c.Writer.Header()["Connection"] = connectionClose
		return nil, tooLarge()
	}
	c.Request.Body = http.NoBody // says to Fail that nothing is left to come
	return value, nil
}

// hurry gives a client the time that an answer of size bytes may take. It is for answers that are large.
func hurry(c *gin.Context, size int) {
	_ = http.NewResponseController(c.Writer).SetWriteDeadline(time.Now().Add(bodyGrace + transfer(int64(size))))
}

func transfer(size int64) time.Duration {
	return time.Duration(float64(size) / bodyRate * float64(time.Second))
}

func readAll(r *http.Request, size int64) ([]byte, error) {
	if r.ContentLength < 0 {
		return io.ReadAll(io.LimitReader(r.Body, size+1))
	}
	value := make([]byte, size)
	_, err := io.ReadFull(r.Body, value)
	return value, err
}

func bodyProblem(err error) *Problem {
	if errors.Is(err, os.ErrDeadlineExceeded) {
		return &Problem{Outcome: BodyTimeout, Detail: "the body did not come in time; nothing was stored"}
	}
	return &Problem{Outcome: BadRequest, Detail: "the body was cut short, or its chunks are not valid; nothing was stored"}
}

// bodyPending reports whether the client has a body to send that hasn't been read to its end.
func bodyPending(r *http.Request) bool {
	return r.ContentLength != 0 && r.Body != http.NoBody
}

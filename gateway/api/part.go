package api

import (
	"io"
	"time"

	"github.com/gin-gonic/gin"
)

// parting is for how long a client that was refused may go on sending.
const parting = 2 * time.Second

// part takes leave of a client that was refused before its body was in.
func part(c *gin.Context) {
	if !bodyPending(c.Request) || c.Writer.Header().Get("Connection") != "close" {
		return
	}
	if conn := connOf(c.Request); conn != nil {
		c.Writer.Flush()
		conn.part(c.Request.Body)
	}
}

// part lets a client that has its answer know at once that no more will come; what it goes on sending is read from rest for a moment, and thrown
// away. A connection that is closed over bytes nobody has read is reset, and that takes the answer from a client which reads it only when it has
// sent all. If a step fails, the client is gone.
func (c *conn) part(rest io.Reader) {
	_ = c.CloseWrite()
	_ = c.SetReadDeadline(time.Now().Add(parting))
	_, _ = io.Copy(io.Discard, rest)
}

package api

import (
	"io"
	"time"

	"github.com/gin-gonic/gin"
)

// parting is for how long a client that was refused may go on sending.
const parting = 2 * time.Second

// part takes leave of a client that was refused before its body was in. It learns at once that no more will come; what it goes on sending is
// read for a moment, and thrown away. A connection that is closed over bytes nobody has read is reset, and that takes the answer from a client
// which reads it only when it has sent all.
func part(c *gin.Context) {
	if !bodyPending(c.Request) || c.Writer.Header().Get("Connection") != "close" {
		return
	}
	conn := connOf(c.Request)
	if conn == nil {
		return
	}
	c.Writer.Flush()
	// If one of these fails, the client is gone.
	_ = conn.CloseWrite()
	_ = conn.SetReadDeadline(time.Now().Add(parting))
	_, _ = io.Copy(io.Discard, c.Request.Body)
}

package api

import (
	"log/slog"
	"net"
	"net/http"
	"time"
)

// What a connection may take. Together they say that no client holds anything for ever.
const (
	headerTimeout = 5 * time.Second  // until the headers are in
	readTimeout   = 60 * time.Second // until the body is in; one that is read gets a limit of its own instead
	writeTimeout  = 90 * time.Second // from the headers until the answer is out; large values get a limit of their own
	idleTimeout   = 2 * time.Minute  // between two requests

	// net/http adds 4 KiB of its own to the limit, which makes 16 KiB.
	maxHeaderBytes = 12 << 10
)

// NewServer returns a server of HTTP/1.1 for h with all of its limits set. Serve it on a listener of NewListener. A
// handler that hijacks a connection is rid of the deadlines: net/http clears them.
func NewServer(h http.Handler, log *slog.Logger) *http.Server {
	protocols := new(http.Protocols)
	protocols.SetHTTP1(true)
	return &http.Server{
		Handler:           noteAnswers(h),
		Protocols:         protocols,
		ReadHeaderTimeout: headerTimeout,
		ReadTimeout:       readTimeout,
		WriteTimeout:      writeTimeout,
		IdleTimeout:       idleTimeout,
		MaxHeaderBytes:    maxHeaderBytes,
		ConnState:         noteState,
		ConnContext:       withConn,
		ErrorLog:          slog.NewLogLogger(log.Handler(), slog.LevelWarn),
	}
}

// noteState lets a connection of NewListener know what it is used for.
func noteState(c net.Conn, s http.ConnState) {
	if known, ok := c.(*conn); ok {
		known.note(s)
	}
}

// noteAnswers lets a connection of NewListener know that what is written from now on is an answer of h. A value that reads like one of net/http's
// errors must go out as it is.
func noteAnswers(h http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if known := connOf(r); known != nil {
			known.answering = true
		}
		h.ServeHTTP(w, r)
	})
}

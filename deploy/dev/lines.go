package main

import (
	"bytes"
	"fmt"
	"io"
	"sync"
)

// longestLine bounds what is held of a line that does not end, in bytes.
const longestLine = 64 << 10

// terminal is the output that all processes share. Safe for concurrent use.
type terminal struct {
	mu sync.Mutex // guards w, so that lines stay whole
	w  io.Writer
}

// printf prints a message of dev itself. A terminal that is gone is no reason to stop.
func (t *terminal) printf(format string, args ...any) {
	t.mu.Lock()
	defer t.mu.Unlock()
	_, _ = fmt.Fprintf(t.w, format, args...)
}

// lines is a writer that prints whole lines behind a name. For one writer at a time; call flush after the last write.
type lines struct {
	to      *terminal
	name    string
	pending []byte
}

// Write prints the lines that p completes and keeps the rest. It never fails.
func (l *lines) Write(p []byte) (int, error) {
	l.pending = append(l.pending, p...)
	for {
		end := bytes.IndexByte(l.pending, '\n')
		switch {
		case end >= 0:
			l.print(l.pending[:end])
			l.pending = l.pending[end+1:]
		case len(l.pending) >= longestLine:
			l.flush()
		default:
			return len(p), nil
		}
	}
}

// flush prints what is pending as a line of its own.
func (l *lines) flush() {
	if len(l.pending) > 0 {
		l.print(l.pending)
		l.pending = nil
	}
}

func (l *lines) print(line []byte) {
	l.to.printf("%s\n", l.text(string(bytes.TrimSuffix(line, []byte("\r")))))
}

// text is a line behind the name.
func (l *lines) text(line string) string { return fmt.Sprintf("%-10s| %s", l.name, line) }

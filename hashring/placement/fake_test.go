package placement

import (
	"bytes"
	"context"
	"errors"
	"io"
	"log/slog"
	"slices"
	"sync"
	"testing"
	"time"
)

// A fakeKV is one key in a Consul of the test's own. Its method ask is a Query, blocking as Consul's do.
type fakeKV struct {
	mu      sync.Mutex // guards the rest
	answer  Answer
	err     error
	changed chan struct{} // closed and replaced with each change
	asked   []fakeQuestion
}

type fakeQuestion struct {
	index uint64
	at    time.Time
	limit time.Duration // until the deadline of its context
}

func newFakeKV() *fakeKV { return &fakeKV{answer: Answer{Index: 7}, changed: make(chan struct{})} }

// set changes what Consul says, and wakes those who wait.
func (f *fakeKV) set(change func()) {
	f.mu.Lock()
	defer f.mu.Unlock()
	change()
	close(f.changed)
	f.changed = make(chan struct{})
}

// put stores d under the next index.
func (f *fakeKV) put(t *testing.T, d *Document) {
	t.Helper()
	value, err := d.Encode()
	if err != nil {
		t.Fatal(err)
	}
	f.set(func() { f.answer = Answer{Index: f.answer.Index + 1, Found: true, Value: value} })
}

func (f *fakeKV) questions() []fakeQuestion {
	f.mu.Lock()
	defer f.mu.Unlock()
	return slices.Clone(f.asked)
}

func (f *fakeKV) ask(ctx context.Context, index uint64, wait time.Duration) (Answer, error) {
	deadline, _ := ctx.Deadline()
	over := time.NewTimer(wait)
	defer over.Stop()
	f.mu.Lock()
	defer f.mu.Unlock()
	f.asked = append(f.asked, fakeQuestion{index, time.Now(), time.Until(deadline)})
	for ended := false; ; {
		if f.err != nil {
			return Answer{}, f.err
		}
		if index == 0 || f.answer.Index > index || ended {
			return f.answer, nil
		}
		changed := f.changed
		f.mu.Unlock()
		select {
		case <-changed:
		case <-over.C:
			ended = true
		case <-ctx.Done():
		}
		f.mu.Lock()
		if ctx.Err() != nil {
			return Answer{}, ctx.Err()
		}
	}
}

// A memory is a Memory of the test's own.
type memory struct {
	mu    sync.Mutex // guards the rest
	doc   *Document
	err   error
	saves int
}

func (m *memory) Load() (*Document, error) { return m.doc, m.err }

func (m *memory) Save(d *Document) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.saves++
	if m.err == nil {
		m.doc = d
	}
	return m.err
}

func (m *memory) fail(err error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.err = err
}

func (m *memory) saved() *Document {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.doc
}

var errBroken = errors.New("broken on purpose")

// A logBuffer is a log to look into.
type logBuffer struct {
	mu   sync.Mutex // guards text
	text bytes.Buffer
}

func (l *logBuffer) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.Write(p)
}

func (l *logBuffer) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.String()
}

func (l *logBuffer) logger() *slog.Logger { return slog.New(slog.NewTextHandler(l, nil)) }

func quiet() *slog.Logger { return slog.New(slog.NewTextHandler(io.Discard, nil)) }

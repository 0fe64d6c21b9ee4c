package placement

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
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

// A faultyDisk keeps files in memory, and fails at operation failAt, counted from 1.
type faultyDisk struct {
	files       map[string]*bytes.Buffer
	ops, failAt int
	trace       []string
}

func newFaultyDisk() *faultyDisk { return &faultyDisk{files: map[string]*bytes.Buffer{}} }

func (d *faultyDisk) op(format string, args ...any) error {
	d.ops++
	d.trace = append(d.trace, fmt.Sprintf(format, args...))
	if d.ops == d.failAt {
		return errBroken
	}
	return nil
}

func (d *faultyDisk) ReadFile(name string) ([]byte, error) {
	if f, ok := d.files[name]; ok {
		return f.Bytes(), nil
	}
	return nil, fs.ErrNotExist
}

func (d *faultyDisk) Create(name string) (SyncWriter, error) {
	if err := d.op("create %s", name); err != nil {
		return nil, err
	}
	f := &bytes.Buffer{}
	d.files[name] = f
	return &faultyFile{d, f}, nil
}

func (d *faultyDisk) Rename(from, to string) error {
	if err := d.op("rename %s %s", from, to); err != nil {
		return err
	}
	d.files[to] = d.files[from]
	delete(d.files, from)
	return nil
}

func (d *faultyDisk) Remove(name string) error {
	if _, ok := d.files[name]; !ok {
		return fs.ErrNotExist
	}
	delete(d.files, name)
	return d.op("remove %s", name)
}

func (d *faultyDisk) SyncDir(name string) error { return d.op("syncdir %s", name) }

type faultyFile struct {
	disk *faultyDisk
	*bytes.Buffer
}

func (f *faultyFile) Write(p []byte) (int, error) {
	if err := f.disk.op("write"); err != nil {
		n, _ := f.Buffer.Write(p[:len(p)/2]) // a write that fails may have written some of it
		return n, err
	}
	return f.Buffer.Write(p)
}

func (f *faultyFile) Sync() error  { return f.disk.op("sync") }
func (f *faultyFile) Close() error { return f.disk.op("close") }

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

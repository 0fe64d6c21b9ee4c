package keeper

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"math/rand/v2"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"ringkv/hashring/membership"
	"ringkv/hashring/placement"
)

var errAway = errors.New("consul is away")

// A fakeKey is a Key of the test's own. It keeps all that was ever written.
type fakeKey struct {
	delay func() time.Duration // before a write takes effect

	mu       sync.Mutex // guards the rest
	value    []byte
	modified uint64
	index    uint64
	written  []*placement.Document
	gets     int
	err      error
}

func (k *fakeKey) Get(context.Context) ([]byte, uint64, error) {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.gets++
	return k.value, k.modified, k.err
}

func (k *fakeKey) CompareAndSet(_ context.Context, value []byte, modified uint64) (bool, error) {
	if k.delay != nil {
		time.Sleep(k.delay())
	}
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.err != nil {
		return false, k.err
	}
	if k.modified != modified {
		return false, nil
	}
	d, err := placement.Parse(value)
	if err != nil {
		return false, err
	}
	k.index++
	k.value, k.modified, k.written = value, k.index, append(k.written, d)
	return true, nil
}

// set changes the key as somebody else would; an empty value deletes it.
func (k *fakeKey) set(value []byte) {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.index++
	k.value, k.modified = value, k.index
	if len(value) == 0 {
		k.modified = 0
	}
}

func (k *fakeKey) fail(err error) {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.err = err
}

// last returns the document written last, nil if there is none.
func (k *fakeKey) last() *placement.Document {
	k.mu.Lock()
	defer k.mu.Unlock()
	if len(k.written) == 0 {
		return nil
	}
	return k.written[len(k.written)-1]
}

// A freeLock lets everybody work at once: the worst that a lock can do.
type freeLock struct {
	mu    sync.Mutex // guards the rest
	err   error
	holds int
	lose  context.CancelFunc
}

func (l *freeLock) Hold(ctx context.Context, work func(context.Context)) error {
	l.mu.Lock()
	l.holds++
	err := l.err
	ctx, l.lose = context.WithCancel(ctx)
	defer l.lose()
	l.mu.Unlock()
	if err == nil {
		work(ctx)
	}
	return err
}

func (l *freeLock) set(err error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.err = err
	l.lose()
}

// A oneLock is held by one at a time.
type oneLock chan struct{}

func (l oneLock) Hold(ctx context.Context, work func(context.Context)) error {
	select {
	case l <- struct{}{}:
	case <-ctx.Done():
		return ctx.Err()
	}
	defer func() { <-l }()
	work(ctx)
	return nil
}

// A world is what keepers see: who passes, and what those remember. Every keeper has a lock of its own that is free.
type world struct {
	t   *testing.T
	key *fakeKey

	mu      sync.Mutex // guards the rest
	snap    *membership.Snapshot
	wakes   []chan struct{}
	silent  map[string]bool // nodes that don't answer
	docs    map[string]*placement.Document
	asked   int
	follow  bool // everybody remembers what the key holds
	outages time.Time
}

func newWorld(t *testing.T) *world {
	return &world{t: t, key: &fakeKey{}, silent: map[string]bool{}, docs: map[string]*placement.Document{}, follow: true}
}

func (w *world) Snapshot() *membership.Snapshot {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.snap
}

func (w *world) Subscribe() <-chan struct{} {
	w.mu.Lock()
	defer w.mu.Unlock()
	wake := make(chan struct{}, 1)
	w.wakes = append(w.wakes, wake)
	return wake
}

// pass makes exactly these nodes pass.
func (w *world) pass(words string) {
	snap := &membership.Snapshot{Changed: time.Now()}
	for _, c := range candidates(w.t, words) {
		snap.Members = append(snap.Members, c.Member)
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	w.snap = snap
	for _, wake := range w.wakes {
		select {
		case wake <- struct{}{}:
		default:
		}
	}
}

func (w *world) remembered(ctx context.Context, m membership.Member) (*placement.Document, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.asked++
	if w.silent[m.ID] {
		w.mu.Unlock()
		<-ctx.Done()
		w.mu.Lock()
		return nil, ctx.Err()
	}
	if w.follow {
		return w.key.last(), nil
	}
	return w.docs[m.ID], nil
}

// counts returns how often the key was read and nodes were asked.
func (w *world) counts() (gets, asked int) {
	w.key.mu.Lock()
	defer w.key.mu.Unlock()
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.key.gets, w.asked
}

// keep runs a keeper in the world until the returned function is called.
func (w *world) keep(lock Lock, changes ...func(*Options)) (*Keeper, func()) {
	o := Options{
		Lock: lock, Key: w.key, Members: w, Replicas: 3, Remembered: w.remembered,
		Own:        func() *placement.Document { return nil },
		LastOutage: func() time.Time { return w.outages },
		Log:        slog.New(slog.NewTextHandler(io.Discard, nil)), Random: func() float64 { return 0.5 },
	}
	for _, change := range changes {
		change(&o)
	}
	k := New(o)
	ctx, cancel := context.WithCancel(w.t.Context())
	done := make(chan error, 1)
	go func() { done <- k.Run(ctx) }()
	return k, func() {
		cancel()
		if err := <-done; err != nil {
			w.t.Errorf("Run = %v, want nil once its context is done", err)
		}
	}
}

// want waits for a document, no longer than limit.
func (w *world) want(limit time.Duration, document string) {
	w.t.Helper()
	for deadline := time.Now().Add(limit); line(w.key.last()) != document; time.Sleep(10 * time.Millisecond) {
		if time.Now().After(deadline) {
			w.t.Fatalf("after %v the placement is %s, want %s", limit, line(w.key.last()), document)
		}
	}
}

// wantStill fails if the placement becomes another than document within d.
func (w *world) wantStill(d time.Duration, document string) {
	w.t.Helper()
	for end := time.Now().Add(d); time.Now().Before(end); time.Sleep(50 * time.Millisecond) {
		if got := line(w.key.last()); got != document {
			w.t.Fatalf("the placement is %s, want %s to stay", got, document)
		}
	}
}

func inBubble(t *testing.T, test func(w *world)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) { test(newWorld(t)) })
}

// wantChain fails unless each document written follows from the one before.
func (w *world) wantChain() {
	w.t.Helper()
	for i, d := range w.key.written {
		if d.Generation != uint64(i) {
			w.t.Fatalf("document %d has generation %d", i, d.Generation)
		}
		if i > 0 && line(&placement.Document{Generation: d.Log[0].Generation, Nodes: d.Log[0].Nodes}) != line(w.key.written[i-1]) {
			w.t.Fatalf("generation %d follows from %v, want %s", i, d.Log[0], line(w.key.written[i-1]))
		}
	}
}

// within returns random times up to d, the same for the same seed.
func within(d time.Duration, seed uint64) func() time.Duration {
	var mu sync.Mutex // guards r
	r := rand.New(rand.NewPCG(seed, seed))
	return func() time.Duration {
		mu.Lock()
		defer mu.Unlock()
		return time.Duration(r.Int64N(int64(d)))
	}
}

func nodeNames(n int) string {
	var words []string
	for i := range n {
		words = append(words, fmt.Sprintf("n%02d", i))
	}
	return strings.Join(words, " ")
}

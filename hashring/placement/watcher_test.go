package placement

import (
	"context"
	"errors"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil"
)

// watch runs a Watcher on kv in a bubble of its own time, and calls body beside it.
func watch(t *testing.T, kv *fakeKV, o WatcherOptions, body func(w *Watcher)) {
	synctest.Test(t, func(t *testing.T) {
		kv.changed = make(chan struct{}) // of this bubble
		o.Query, o.Replicas, o.Random = kv.ask, 3, func() float64 { return 0.5 }
		if o.Log == nil {
			o.Log = quiet()
		}
		w, err := NewWatcher(o)
		if err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithCancel(t.Context())
		done := make(chan error, 1)
		go func() { done <- w.Run(ctx) }()
		synctest.Wait()
		body(w)
		cancel()
		if err := <-done; err != nil {
			t.Errorf("Run = %v, want nil once its context is done", err)
		}
	})
}

func wantSnapshot(t *testing.T, w *Watcher, d *Document, stored bool) {
	t.Helper()
	time.Sleep(time.Second) // fake: more than the limit on questions makes one wait
	synctest.Wait()
	s := w.Snapshot()
	if s == nil || (s.Document == nil) != (d == nil) || d != nil && !s.Document.Same(d) || s.Stored != stored {
		t.Errorf("Snapshot() = %+v, want %+v, stored %v", s, d, stored)
	}
}

func TestWatcherFollowsTheKey(t *testing.T) {
	kv := newFakeKV()
	first, second := chain(t, 3, "a b"), chain(t, 3, "a b", "a b c")
	watch(t, kv, WatcherOptions{}, func(w *Watcher) {
		wantSnapshot(t, w, nil, false)
		woken := w.Subscribe()
		select {
		case <-w.Ready():
			t.Error("ready without a document")
		default:
		}
		kv.put(t, first)
		wantSnapshot(t, w, first, true)
		<-w.Ready()
		<-woken
		kv.put(t, second)
		wantSnapshot(t, w, second, true)
		<-woken
		time.Sleep(10 * time.Minute)
		wantSnapshot(t, w, second, true)
		select {
		case <-woken:
			t.Error("woken though nothing changed")
		default:
		}
	})
}

func TestWatcherNeverForgets(t *testing.T) {
	kv, log := newFakeKV(), &logBuffer{}
	d := chain(t, 3, "a b", "a b c")
	watch(t, kv, WatcherOptions{Log: log.logger()}, func(w *Watcher) {
		kv.put(t, d)
		wantSnapshot(t, w, d, true)
		held := w.Document()
		kv.set(func() { kv.answer = Answer{Index: kv.answer.Index + 1} })
		wantSnapshot(t, w, d, false)
		time.Sleep(5 * time.Minute)
		if n := strings.Count(log.String(), "gone from Consul"); n != 1 {
			t.Errorf("the loss was logged %d times, want once:\n%s", n, log.String())
		}
		kv.put(t, d)
		wantSnapshot(t, w, d, true)
		if w.Document() != held {
			t.Error("the same document came back as another pointer")
		}
	})
}

// Documents that don't follow the one held are named and left alone.
func TestWatcherRefuses(t *testing.T) {
	held := chain(t, 3, "a b", "a b c", "a b c d")
	for name, tt := range map[string]struct {
		value func() []byte
		want  string
	}{
		"an older one":                  {func() []byte { return encode(t, chain(t, 3, "x y z", "x y z")) }, "another of generation 1, while generation 2"},
		"another one of its generation": {func() []byte { return encode(t, chain(t, 3, "a b", "a b c", "a b c e")) }, "another of generation 2, while generation 2"},
		"one with other replicas":       {func() []byte { return encode(t, chain(t, 2, "a", "a", "a", "a")) }, "-replicas is 3 here and 2 in the placement"},
		"junk":                          {func() []byte { return []byte("hello") }, "malformed"},
		"nothing":                       {func() []byte { return nil }, "malformed"},
	} {
		t.Run(name, func(t *testing.T) {
			kv, log := newFakeKV(), &logBuffer{}
			watch(t, kv, WatcherOptions{Log: log.logger(), Memory: &memory{}}, func(w *Watcher) {
				kv.put(t, held)
				wantSnapshot(t, w, held, true)
				kv.set(func() { kv.answer = Answer{Index: kv.answer.Index + 1, Found: true, Value: tt.value()} })
				wantSnapshot(t, w, held, false)
				if err := w.Err(); err == nil || !strings.Contains(err.Error(), tt.want) {
					t.Errorf("Err() = %v, want %q in it", err, tt.want)
				}
				time.Sleep(10 * time.Minute)
				if n := strings.Count(log.String(), "not taken"); n != 1 {
					t.Errorf("it was logged %d times, want once:\n%s", n, log.String())
				}
				kv.put(t, next(t, held, held.Nodes))
				wantSnapshot(t, w, next(t, held, held.Nodes), true)
				if err := w.Err(); err != nil {
					t.Errorf("Err() = %v once all is well, want nil", err)
				}
			})
		})
	}
}

// Consul lost a generation that only a gateway had seen, so that another of that number was written: nobody would ever
// tell the gateway to give its own up.
func TestWhoRemembersNothingGoesByWhatConsulHolds(t *testing.T) {
	kv := newFakeKV()
	lost, anew := chain(t, 3, "a b", "a b c", "a b c d"), chain(t, 3, "a b", "a b c", "a b c e")
	watch(t, kv, WatcherOptions{}, func(w *Watcher) {
		kv.put(t, lost)
		wantSnapshot(t, w, lost, true)
		kv.put(t, chain(t, 3, "a b", "a b c")) // as Consul was restored: older than what is known
		wantSnapshot(t, w, lost, false)
		kv.put(t, anew)
		wantSnapshot(t, w, anew, true)
		if err := w.Err(); err != nil {
			t.Errorf("Err() = %v, want nil", err)
		}
	})
}

func encode(t testing.TB, d *Document) []byte {
	t.Helper()
	value, err := d.Encode()
	if err != nil {
		t.Fatal(err)
	}
	return value
}

func TestWatcherAsksAfreshAfterAnError(t *testing.T) {
	kv := newFakeKV()
	d := chain(t, 3, "a b")
	watch(t, kv, WatcherOptions{}, func(w *Watcher) {
		if !w.LastOutage().IsZero() {
			t.Error("an outage before any")
		}
		kv.put(t, d)
		wantSnapshot(t, w, d, true)
		contact := w.LastContact()
		kv.set(func() { kv.err = errBroken })
		time.Sleep(2 * time.Minute)
		wantSnapshot(t, w, d, true)
		if got := time.Since(w.LastOutage()); got > backoffCap {
			t.Errorf("last outage %v ago, want it to go on", got)
		}
		if !w.LastContact().Equal(contact) {
			t.Error("a contact was noted in an outage")
		}
		asked := kv.questions()
		if n := len(asked); n < 30 || n > 100 { // back-off to half of 5 s, by the random number given
			t.Errorf("%d questions in two minutes of errors, want about 50", n)
		}
		for _, q := range asked[len(asked)-20:] {
			if q.index != 0 {
				t.Fatalf("asked with index %d after an error, want 0", q.index)
			}
		}
		kv.set(func() { kv.err = nil })
		time.Sleep(backoffCap)
		if w.LastContact().Equal(contact) {
			t.Error("no contact though Consul is back")
		}
	})
}

func TestAFailureBeforeTheFirstContactIsNoOutage(t *testing.T) {
	kv := newFakeKV()
	kv.err = errBroken
	watch(t, kv, WatcherOptions{}, func(w *Watcher) {
		time.Sleep(time.Minute)
		kv.set(func() { kv.err = nil })
		time.Sleep(time.Minute)
		if got := w.LastOutage(); !got.IsZero() {
			t.Errorf("LastOutage() = %v, want none", got)
		}
	})
}

// TestWatcherMindsTheIndex walks through another life of Consul: the waiting question runs out with a lower index, its
// body is thrown away, and what counts is the answer to a fresh one.
func TestWatcherMindsTheIndex(t *testing.T) {
	kv, registry := newFakeKV(), prometheus.NewRegistry()
	kv.answer.Index = 300
	first, second := chain(t, 3, "a b"), chain(t, 3, "a b", "a b c")
	watch(t, kv, WatcherOptions{Metrics: registry}, func(w *Watcher) {
		kv.put(t, first)
		wantSnapshot(t, w, first, true)
		before := len(kv.questions())
		kv.set(func() { kv.answer = Answer{Index: 7, Found: true, Value: encode(t, second)} })
		wantSnapshot(t, w, first, true) // the question that waits wasn't woken
		time.Sleep(waitTime)
		wantSnapshot(t, w, second, true)
		var indexes []uint64
		for _, q := range kv.questions()[before:] {
			indexes = append(indexes, q.index)
		}
		if !slices.Equal(indexes, []uint64{301, 0, 7}) && !slices.Equal(indexes, []uint64{0, 7}) {
			t.Errorf("asked with indexes %v after the index went back, want 0 and 7", indexes)
		}
		if got := testutil.ToFloat64(w.metrics.resets); got != 1 {
			t.Errorf("%v resets counted, want 1", got)
		}
	})
}

// TestAnEqualIndexSaysNothing: an agent that has lost its servers answers an empty body with an index that isn't higher.
func TestAnEqualIndexSaysNothing(t *testing.T) {
	kv := newFakeKV()
	d := chain(t, 3, "a b")
	watch(t, kv, WatcherOptions{}, func(w *Watcher) {
		kv.put(t, d)
		wantSnapshot(t, w, d, true)
		kv.set(func() { kv.answer.Found, kv.answer.Value = false, nil })
		time.Sleep(waitTime + time.Second)
		wantSnapshot(t, w, d, true)
	})
}

func TestWatcherReadsAfreshEveryMinute(t *testing.T) {
	kv := newFakeKV()
	kv.answer.Index = 300
	d := chain(t, 3, "a b")
	watch(t, kv, WatcherOptions{}, func(w *Watcher) {
		kv.put(t, d)
		time.Sleep(10 * time.Minute)
		var fresh []time.Time
		for _, q := range kv.questions() {
			if q.index == 0 {
				fresh = append(fresh, q.at)
			}
			if q.limit < callSlack || q.limit > waitTime+waitTime/16+callSlack {
				t.Errorf("a question had %v until its deadline, want the wait and %v", q.limit, callSlack)
			}
		}
		if n := len(fresh); n < 10 || n > 12 {
			t.Errorf("read afresh %d times in ten minutes, want about 10", n)
		}
	})
}

// TestWatcherIsNotDrivenFasterThanItsLimit changes the key a hundred times a second.
func TestWatcherIsNotDrivenFasterThanItsLimit(t *testing.T) {
	kv := newFakeKV()
	watch(t, kv, WatcherOptions{}, func(w *Watcher) {
		d := chain(t, 3, "a b")
		for range 1000 {
			kv.put(t, d)
			time.Sleep(10 * time.Millisecond)
		}
		if n := len(kv.questions()); n > 10*queryRate+queryBurst+2 {
			t.Errorf("%d questions in ten seconds, want at most %d a second", n, queryRate)
		}
	})
}

func TestWatcherStartsWithWhatItRemembers(t *testing.T) {
	kv, m := newFakeKV(), &memory{doc: chain(t, 3, "a b", "a b c")}
	watch(t, kv, WatcherOptions{Memory: m}, func(w *Watcher) {
		<-w.Ready()
		wantSnapshot(t, w, m.doc, false)
		kv.put(t, chain(t, 3, "a b"))
		wantSnapshot(t, w, m.doc, false)
		newer := chain(t, 3, "a b", "a b c", "a b c d")
		kv.put(t, newer)
		wantSnapshot(t, w, newer, true)
		if !m.saved().Same(newer) {
			t.Errorf("remembered generation %d, want %d", m.saved().Generation, newer.Generation)
		}
	})
}

func TestWatcherRefusesToStartWithOtherReplicas(t *testing.T) {
	w, err := NewWatcher(WatcherOptions{Replicas: 2, Memory: &memory{doc: chain(t, 3, "a b")}})
	if w != nil || err == nil || !strings.Contains(err.Error(), "-replicas is 2 here and 3 in the placement") {
		t.Errorf("NewWatcher = %v, %v, want an error that names both numbers", w, err)
	}
	if w, err := NewWatcher(WatcherOptions{Replicas: 2, Memory: &memory{err: errBroken}}); w != nil || !errors.Is(err, errBroken) {
		t.Errorf("NewWatcher = %v, %v, want the error of Load", w, err)
	}
}

// TestADocumentThatCanNotBeSavedIsUsed, and saved once that works again.
func TestADocumentThatCanNotBeSavedIsUsed(t *testing.T) {
	kv, m := newFakeKV(), &memory{}
	d := chain(t, 3, "a b")
	watch(t, kv, WatcherOptions{Memory: m}, func(w *Watcher) {
		m.fail(errBroken)
		kv.put(t, d)
		wantSnapshot(t, w, d, true)
		m.fail(nil)
		time.Sleep(waitTime + time.Second)
		if !m.saved().Same(d) {
			t.Error("the document was not saved though the disk is well again")
		}
		if got := testutil.ToFloat64(w.metrics.unsaved); got != 1 {
			t.Errorf("%v failed saves counted, want 1", got)
		}
		if m.saves != 2 {
			t.Errorf("Save was called %d times, want 2", m.saves)
		}
	})
}

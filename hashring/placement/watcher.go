package placement

import (
	"cmp"
	"context"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"golang.org/x/time/rate"

	"ringkv/hashring/following"
)

const (
	waitTime     = 30 * time.Second       // longest blocking query: bounds what a missed wake-up costs
	callSlack    = 10 * time.Second       // what a call may take beyond its wait before it counts as lost
	resyncEvery  = 60 * time.Second       // the key is read afresh this often
	resyncSpread = 0.2                    // share by which that varies, so that processes don't ask in step
	backoffBase  = 100 * time.Millisecond // first retry after an error, at the latest
	backoffCap   = 5 * time.Second        // later ones; the agent is near, so that a retry is cheap
	queryRate    = 10                     // queries a second, however fast the key changes
	queryBurst   = 2
)

// A Snapshot is what a Watcher knows at one moment. It is immutable.
type Snapshot struct {
	Document *Document // the newest one seen or remembered; nil while there is none
	Stored   bool      // Consul holds Document, as of the last contact
}

// WatcherOptions are what a Watcher is made from.
type WatcherOptions struct {
	Query    Query
	Replicas int                  // that this program was started with; a document with another number is refused
	Memory   Memory               // nil: nothing is remembered over a restart
	Log      *slog.Logger         // nil: slog.Default()
	Metrics  *prometheus.Registry // nil: none
	Random   func() float64       // in [0,1), for jitter; nil: math/rand/v2
}

// A Memory outlives the process.
type Memory interface {
	// Load returns the document last saved, nil if there never was one. An error means that it isn't known what was saved:
	// a node that can't tell must not say that it remembers nothing.
	Load() (*Document, error)
	// Save makes d durable in place of the one before. After an error either is there.
	Save(d *Document) error
}

// A Watcher follows the placement in Consul. Run it once; everything else is safe for concurrent use at any time.
type Watcher struct {
	o       WatcherOptions
	limit   *rate.Limiter
	metrics watcherMetrics
	latest  atomic.Pointer[Snapshot]
	ready   chan struct{} // closed with the first document
	wakes   following.Followers
	contact atomic.Pointer[time.Time] // of the last answer
	outage  atomic.Pointer[time.Time] // of the last error after a contact
	problem atomic.Pointer[error]

	// Run's own.
	retry   following.Backoff
	unsaved *Document // what Memory should hold and doesn't
}

// NewWatcher loads what Memory holds and returns a Watcher that knows it from the start.
func NewWatcher(o WatcherOptions) (*Watcher, error) {
	o.Log = cmp.Or(o.Log, slog.Default())
	if o.Random == nil {
		o.Random = rand.Float64
	}
	w := &Watcher{o: o, limit: rate.NewLimiter(queryRate, queryBurst), ready: make(chan struct{})}
	w.retry = following.Backoff{First: backoffBase, Last: backoffCap, Random: o.Random}
	w.metrics = newWatcherMetrics(o.Metrics)
	if o.Memory == nil {
		return w, nil
	}
	d, err := o.Memory.Load()
	if err != nil {
		return nil, fmt.Errorf("read the placement that this node remembers: %w; if Consul's KV still holds the placement, remove the node's copy from its data directory and start again", err)
	}
	if d != nil {
		if err := w.agree(d); err != nil {
			return nil, fmt.Errorf("remembered placement: %w", err)
		}
		w.publish(&Snapshot{Document: d})
	}
	return w, nil
}

// Snapshot returns what is known, nil before the first document or the first answer. It takes one atomic load.
func (w *Watcher) Snapshot() *Snapshot { return w.latest.Load() }

// Document returns the newest document seen or remembered, nil while there is none.
func (w *Watcher) Document() *Document { return w.held() }

// Ready is closed once there is a document.
func (w *Watcher) Ready() <-chan struct{} { return w.ready }

// Subscribe returns a channel that holds a wake-up whenever the Snapshot changed since the last one was taken: see following.Followers.
func (w *Watcher) Subscribe() <-chan struct{} { return w.wakes.Subscribe() }

// LastContact is when Consul last answered, zero if it never did. An undisturbed answer may take as long as a blocking
// query waits, half a minute.
func (w *Watcher) LastContact() time.Time { return timeOf(w.contact.Load()) }

// LastOutage is when a query last failed after one had succeeded, zero if none did: a program that starts before Consul
// has lived through no outage.
func (w *Watcher) LastOutage() time.Time { return timeOf(w.outage.Load()) }

// Err returns why what Consul says isn't taken, nil if it is or if there is no answer.
func (w *Watcher) Err() error {
	if p := w.problem.Load(); p != nil {
		return *p
	}
	return nil
}

func timeOf(t *time.Time) time.Time {
	if t == nil {
		return time.Time{}
	}
	return *t
}

// Run follows the key until ctx is done, and returns nil then. Without Consul it tries again for ever.
func (w *Watcher) Run(ctx context.Context) error {
	var index uint64
	var resync time.Time
	for {
		if now := time.Now(); index == 0 || !now.Before(resync) {
			index = 0
			resync = now.Add(w.jittered(resyncEvery))
		}
		a, err := w.ask(ctx, index, max(time.Second, min(waitTime, time.Until(resync))))
		if ctx.Err() != nil {
			return nil
		}
		if err != nil {
			index = 0
			if w.fail(ctx, err) != nil {
				return nil
			}
			continue
		}
		w.answered()
		w.save() // what couldn't be saved before
		var changed bool
		if index, changed = following.Next(index, a.Index); changed {
			w.take(a)
		} else if index == 0 {
			w.metrics.resets.Inc()
		}
	}
}

// ask puts one question, no faster than the limit allows, with a deadline of its own: Consul may add a sixteenth to the wait.
func (w *Watcher) ask(ctx context.Context, index uint64, wait time.Duration) (Answer, error) {
	if err := w.limit.Wait(ctx); err != nil {
		return Answer{}, err
	}
	ctx, cancel := context.WithTimeout(ctx, wait+wait/16+callSlack)
	defer cancel()
	return w.o.Query(ctx, index, wait)
}

// fail notes an error and waits before the next question; it returns an error only when ctx is done.
func (w *Watcher) fail(ctx context.Context, err error) error {
	w.metrics.errors.Inc()
	if w.contact.Load() != nil {
		w.outage.Store(new(time.Now()))
	}
	if w.retry.Failures() == 0 {
		w.o.Log.Warn("Consul gives no placement; going on with the last one", "error", err)
	}
	following.Pause(ctx, w.retry.Next())
	return ctx.Err()
}

func (w *Watcher) answered() {
	if failures := w.retry.Failures(); failures > 0 {
		w.o.Log.Info("Consul answers about the placement again", "failures", failures)
	}
	w.retry.Reset()
	w.contact.Store(new(time.Now()))
}

func (w *Watcher) jittered(d time.Duration) time.Duration {
	return time.Duration(float64(d) * (1 + resyncSpread*(2*w.o.Random()-1)))
}

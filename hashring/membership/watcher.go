package membership

import (
	"context"
	"errors"
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
	waitTime     = 30 * time.Second       // longest blocking query: bounds what a missed wake-up costs; 2 requests a minute
	callSlack    = 10 * time.Second       // what a call may take beyond its wait before it counts as lost
	resyncEvery  = 60 * time.Second       // the whole set is read afresh this often, more or less
	resyncSpread = 0.2                    // share by which that varies, so that processes don't ask in step
	backoffBase  = 100 * time.Millisecond // first retry after an error, at the latest
	backoffCap   = 5 * time.Second        // later ones; the agent is near, so that a retry is cheap
	queryRate    = 10                     // queries a second under churn
	queryBurst   = 2
	shrinkWindow = 5 * time.Second        // removals this close together are judged as one
	holdFor      = 15 * time.Second       // how long a node stays that answers while Consul lists it no more, and Consul isn't simply believed after it was away
	holdReread   = time.Second            // how often Consul is asked again meanwhile
	probeTimeout = 300 * time.Millisecond // of one node's own health check, when a shrinking is confirmed
	probeAgain   = time.Second            // and of another one, if it gave no answer in that time
)

// A State is how a Watcher stands with Consul.
type State int32

const (
	Cold    State = iota // no members known yet
	Live                 // members as Consul has them
	Blind                // Consul gives no usable answer; the last members stay
	Confirm              // Consul says that nodes are gone, wrongly perhaps: what they say themselves differs or is being asked
)

func (s State) String() string { return [...]string{"cold", "live", "blind", "confirm"}[s] }

// Options of a Watcher and of Fixed. Zero fields mean the defaults.
type Options struct {
	Log      *slog.Logger         // default: slog.Default()
	Metrics  *prometheus.Registry // default: none
	Random   func() float64       // in [0,1), for jitter; default: math/rand/v2
	Draining func() bool          // this program stops, so that it is no news when others do; default: it doesn't
}

func (o Options) withDefaults() Options {
	if o.Log == nil {
		o.Log = slog.Default()
	}
	if o.Random == nil {
		o.Random = rand.Float64
	}
	if o.Draining == nil {
		o.Draining = func() bool { return false }
	}
	return o
}

// A Watcher follows who is passing in Consul. Make it with NewWatcher and call Run once; everything else is safe for
// concurrent use at any time.
type Watcher struct {
	*board
	query    Query
	probe    Probe
	log      *slog.Logger
	random   func() float64
	draining func() bool
	limit    *rate.Limiter
	state    atomic.Int32
	metrics  *metrics

	// Run's own.
	index    uint64 // to wait for next; 0 reads afresh
	resyncAt time.Time
	retry    following.Backoff
	left     departures
	skipped  string // what was last reported
	trouble  string // kind of the error last reported, empty while there is none
	// since members were last shown for sure, there was an error or an index that went back
	interrupted bool
	calmAt      time.Time // holdFor after they were first shown for sure again
}

// NewWatcher returns a Watcher that asks query who is registered, and probe whether a node still serves when the
// registry says that most are gone.
func NewWatcher(query Query, probe Probe, options Options) *Watcher {
	o := options.withDefaults()
	w := &Watcher{
		board:    newBoard(),
		query:    query,
		probe:    probe,
		log:      o.Log,
		random:   o.Random,
		draining: o.Draining,
		limit:    rate.NewLimiter(queryRate, queryBurst),
		retry:    following.Backoff{First: backoffBase, Last: backoffCap, Random: o.Random},
		left:     departures{},
	}
	w.metrics = newMetrics(o.Metrics, w)
	return w
}

// State returns how the Watcher stands with Consul.
func (w *Watcher) State() State { return State(w.state.Load()) }

// Run follows the members until ctx is done, and returns nil then. Without Consul it tries again for ever.
func (w *Watcher) Run(ctx context.Context) error {
	for ctx.Err() == nil {
		err := w.step(ctx)
		switch {
		case err == nil:
			w.recovered()
		case ctx.Err() == nil:
			w.blind(err)
			following.Pause(ctx, w.retry.Next())
		}
	}
	return nil
}

// step asks one question and acts on the answer.
func (w *Watcher) step(ctx context.Context) error {
	req := w.nextRequest(time.Now())
	answer, err := w.ask(ctx, req)
	if err != nil && w.Snapshot() == nil {
		w.interrupted = true
		answer, err = w.askAnyServer(ctx, err)
	}
	if err != nil {
		return err
	}
	next, lost := passing(answer.Entries)
	now := time.Now()
	w.left.forget(now)
	verdict := known{w.Snapshot(), w.left, w.interrupted || now.Before(w.calmAt)}.judge(req.Index, answer.Index, next)
	w.index, _ = following.Next(req.Index, answer.Index)
	if verdict == backwards {
		w.interrupted = true
		w.metrics.resets.Inc()
		w.log.Debug("Consul's index went back, reading afresh", "from", req.Index, "to", answer.Index)
		return nil
	}
	if verdict == unmoved {
		w.touch()
		return nil
	}
	w.report(append(lost, answer.Skipped...))
	switch verdict {
	case suspicious:
		return w.confirm(ctx)
	case same:
		w.metrics.idle.Inc()
	}
	w.show(next, answer.Index)
	return nil
}

// nextRequest waits for the index after the last one, unless it's time to read afresh.
func (w *Watcher) nextRequest(now time.Time) Request {
	if w.index == 0 || !now.Before(w.resyncAt) {
		spread := 1 + resyncSpread*(2*w.random()-1)
		w.resyncAt = now.Add(time.Duration(spread * float64(resyncEvery)))
		return Request{}
	}
	wait := min(waitTime, w.resyncAt.Sub(now))
	return Request{Index: w.index, Wait: max(wait, time.Second)}
}

// ask puts one question, no faster than the limit and with a deadline: a connection that died without a word would
// otherwise hold the loop for a quarter of an hour.
func (w *Watcher) ask(ctx context.Context, req Request) (*Answer, error) {
	if err := w.limit.Wait(ctx); err != nil {
		return nil, fmt.Errorf("wait for a turn to ask: %w", err)
	}
	// Consul adds up to a sixteenth to the wait, so that many waits don't end at once.
	ctx, cancel := context.WithTimeout(ctx, req.Wait+req.Wait/16+callSlack)
	defer cancel()
	answer, err := w.query(ctx, req)
	if err == nil && answer.Filtered {
		err = ErrFiltered
	}
	if err != nil {
		w.metrics.errors.WithLabelValues(errorKind(err)).Inc()
		return nil, err
	}
	return answer, nil
}

// askAnyServer is for the first set only: a slightly old one is better than none while Consul elects a leader. An old
// empty one is not.
func (w *Watcher) askAnyServer(ctx context.Context, cause error) (*Answer, error) {
	if !errors.Is(cause, ErrNoServer) {
		return nil, cause
	}
	answer, err := w.ask(ctx, Request{Stale: true})
	if err != nil || len(answer.Entries) == 0 {
		return nil, cause
	}
	return answer, nil
}

// show publishes what is known for sure.
func (w *Watcher) show(next []Member, index uint64) {
	w.touch()
	w.state.Store(int32(Live))
	if w.interrupted {
		w.interrupted, w.calmAt = false, time.Now().Add(holdFor)
	}
	w.replace(next, index)
}

// replace publishes next and remembers who left.
func (w *Watcher) replace(next []Member, index uint64) {
	if have := w.Snapshot(); have != nil {
		w.left.note(have.Members, next, time.Now())
	}
	w.publish(next, index, w.log)
}

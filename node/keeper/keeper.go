package keeper

import (
	"cmp"
	"context"
	"log/slog"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"ringkv/hashring/following"
	"ringkv/hashring/membership"
	"ringkv/hashring/placement"
)

const (
	lookEvery    = 500 * time.Millisecond // how often the holder of the lock looks
	askEvery     = 2 * time.Second        // nodes are asked what they remember no more often than this
	auditEvery   = time.Minute            // and this often even if nothing is to be proposed
	askTimeout   = time.Second            // one node's answer
	askAtOnce    = 16                     // nodes asked at a time
	callTimeout  = 5 * time.Second        // one call to Consul
	backoffBase  = 100 * time.Millisecond
	backoffLimit = 5 * time.Second
	stuckAfter   = 15 * time.Second // a keeper that can't do what is to be done lets another try after this
	asideFor     = 5 * time.Second  // and keeps away from the lock for one to two of these
)

// Members says who passes. *membership.Watcher does.
type Members interface {
	Snapshot() *membership.Snapshot // nil while it isn't known
	Subscribe() <-chan struct{}
}

// Options are what a Keeper is made from.
type Options struct {
	Lock     Lock
	Key      Key
	Members  Members
	Replicas int // that this program was started with
	// RebalanceAfter is how long a node may fail its checks before its slots get another copy elsewhere; 0: for ever. Raising it
	// moves less data, and leaves slots with a copy less for longer.
	RebalanceAfter time.Duration

	// Remembered asks a node which placement it remembers; nil without an error means none. The answer must be from the
	// node of that id and disk, and an error if it isn't.
	Remembered func(ctx context.Context, m membership.Member) (*placement.Document, error)
	// Progress asks a node how far it has come with the placement; nil: nothing waits for a move.
	Progress func(ctx context.Context, m membership.Member) (Progress, error)
	// Own returns which placement this node remembers itself, nil for none.
	Own func() *placement.Document
	// LastOutage returns when this program last found Consul out of reach, zero for never; nil: only the Keeper's own calls count.
	LastOutage func() time.Time

	Log     *slog.Logger         // nil: slog.Default()
	Metrics *prometheus.Registry // nil: none
	Random  func() float64       // in [0,1), for jitter; nil: math/rand/v2
}

// A Status is what a Keeper is at.
type Status struct {
	Holding bool   // it holds the lock
	Waiting string // why it doesn't propose what it otherwise would; empty if there is nothing to propose
}

// A Keeper proposes placements. Run it once; Status is safe for concurrent use at any time.
type Keeper struct {
	o       Options
	wake    <-chan struct{}
	metrics metrics
	status  atomic.Pointer[Status]

	mu   sync.Mutex // guards pace
	pace pace

	// Run's own.
	contact bool      // Consul has answered before
	outage  time.Time // when a call of ours last failed since
	seen    tracker
	asked   time.Time // when the nodes were last asked what they remember
	doubt   bool      // they remembered what Consul doesn't hold
	stuck   time.Time // since when there is something to propose that can't be; zero while there isn't
}

// New returns a Keeper.
func New(o Options) *Keeper {
	o.Log = cmp.Or(o.Log, slog.Default())
	if o.Random == nil {
		o.Random = rand.Float64
	}
	k := &Keeper{o: o, wake: o.Members.Subscribe(), metrics: newMetrics(o.Metrics)}
	k.status.Store(&Status{})
	return k
}

// Status returns what the Keeper is at.
func (k *Keeper) Status() Status { return *k.status.Load() }

// Run takes the lock whenever it can and keeps the placement while it holds it, until ctx is done; it returns nil then.
func (k *Keeper) Run(ctx context.Context) error {
	retry := following.Backoff{First: backoffBase, Last: backoffLimit, Random: k.o.Random}
	for ctx.Err() == nil {
		err := k.o.Lock.Hold(ctx, k.keep)
		k.metrics.holding.Set(0)
		k.status.Store(&Status{})
		switch {
		case err == nil && !k.stuck.IsZero():
			retry.Reset()
			following.Pause(ctx, time.Duration((1+k.o.Random())*float64(asideFor)))
		case err == nil:
			retry.Reset()
		case ctx.Err() == nil:
			k.failed(err, retry.Failures() == 0)
			following.Pause(ctx, retry.Next())
		}
	}
	return nil
}

// keep works until ctx is done, as the lock may be lost then, or until another should try: this node may have been started
// with the wrong flags, or cut off from the others.
func (k *Keeper) keep(ctx context.Context) {
	k.contact = true
	k.seen, k.asked, k.doubt, k.stuck = tracker{}, time.Time{}, true, time.Time{}
	k.metrics.holding.Set(1)
	k.o.Log.Info("keeping the placement")
	ticker := time.NewTicker(lookEvery)
	defer ticker.Stop()
	for {
		if err := k.look(ctx); err != nil && ctx.Err() == nil {
			k.failed(err, k.Status().Waiting != err.Error())
			k.status.Store(&Status{Holding: true, Waiting: err.Error()})
		}
		if !k.stuck.IsZero() && time.Since(k.stuck) >= stuckAfter {
			k.o.Log.Info("another node may keep the placement", "because", k.Status().Waiting)
			return
		}
		select {
		case <-ticker.C:
		case <-k.wake:
		case <-ctx.Done():
			return
		}
	}
}

// failed notes that Consul could not be asked.
func (k *Keeper) failed(err error, first bool) {
	if k.contact {
		k.outage = time.Now()
	}
	if first {
		k.o.Log.Warn("the keeper can't reach Consul", "error", err)
	}
}

// report says why nothing is proposed, once.
func (k *Keeper) report(why string) {
	if before := k.Status(); before.Holding && before.Waiting == why {
		return
	}
	k.status.Store(&Status{Holding: true, Waiting: why})
	if why != "" {
		k.o.Log.Info("placement left as it is", "because", why)
	}
}

package replica

import (
	"context"
	"math/rand/v2"
	"time"

	"golang.org/x/sync/errgroup"
)

// UpkeepOptions are how often a node looks after what it holds. Zero fields mean the defaults that stand beside them.
type UpkeepOptions struct {
	// Every is how often this node compares digests with the other owners of its slots; 20 s. What differs twice in a row is repaired,
	// so replicas hold the same within 60 s after whatever kept them apart. Lowering it costs one small message for each slot and
	// other owner.
	Every time.Duration
	// Full is after how long a slot is repaired even while it is written to all the time, and its digests never stand still; 10 min.
	Full time.Duration
	// CollectAfter is how old a tombstone is before the owners give it up; 10 min. It must be far above the longest request and the largest
	// difference between clocks: a write below a tombstone that is being collected is refused, and has to be tried again.
	CollectAfter time.Duration
	// Rand spreads the rounds of several nodes; required. Only Upkeep may use it.
	Rand *rand.Rand
	// Changed wakes Upkeep when the view changes, nil for never.
	Changed <-chan struct{}
}

func (o UpkeepOptions) withDefaults() UpkeepOptions {
	if o.Every == 0 {
		o.Every = 20 * time.Second
	}
	if o.Full == 0 {
		o.Full = 10 * time.Minute
	}
	if o.CollectAfter == 0 {
		o.CollectAfter = 10 * time.Minute
	}
	return o
}

// gap is the least time between two rounds, however often the view changes.
func (o UpkeepOptions) gap() time.Duration { return o.Every / 10 }

// soon is for what can be done at once as a rule, and has to wait for others: slots to drop, and what is damaged.
func (o UpkeepOptions) soon() time.Duration { return o.Every / 4 }

// Upkeep keeps what this node holds in order, until ctx is done: it gives up slots that others own and hold by now, replaces what is
// damaged, and round by round compares what it holds with the other owners of each slot and repairs what differs. All of it can be
// abandoned at any point, and is found out anew from what is stored. Run it once, beside Run and Settle.
func (r *Replica) Upkeep(ctx context.Context, opt UpkeepOptions) error {
	opt = opt.withDefaults()
	jitter := func() *rand.Rand { return rand.New(rand.NewPCG(opt.Rand.Uint64(), opt.Rand.Uint64())) }
	drops, mends, compares := jitter(), jitter(), jitter()
	turn := make(chan struct{}, 1) // holds who mends, or compares: what a comparison has read of a record must not go out once that is replaced
	var g errgroup.Group
	g.Go(func() error { r.dropAll(ctx, drops, opt.soon()); return nil })
	g.Go(func() error { r.mendAll(ctx, mends, opt, turn); return nil })
	g.Go(func() error { r.compareAll(ctx, compares, opt, turn); return nil })
	return g.Wait()
}

// dropAll looks for slots to give up, again and again.
func (r *Replica) dropAll(ctx context.Context, rng *rand.Rand, every time.Duration) {
	l := &leaver{r: r, told: map[int]*telling{}}
	for pause(ctx, rng, every, nil) {
		if err := l.pass(ctx); err != nil && ctx.Err() == nil {
			r.opt.Log.Debug("some slots that others own are kept for now", "error", err)
		}
	}
}

// mendAll looks for what is damaged, again and again, and more often than rounds of comparisons come: until it's replaced, this node can't
// answer for it.
func (r *Replica) mendAll(ctx context.Context, rng *rand.Rand, opt UpkeepOptions, turn chan struct{}) {
	m := &mending{r: r, began: time.Now()}
	for wait := opt.gap(); pause(ctx, rng, wait, nil); wait = max(opt.gap(), m.next(opt.soon())) {
		turn <- struct{}{} // whoever has it ends with ctx
		err := m.pass(ctx)
		<-turn
		if err != nil && ctx.Err() == nil {
			r.opt.Log.Info("some of what is damaged here is not replaced yet", "error", err)
		}
	}
}

// compareAll looks after the slots that this node owns, round by round.
func (r *Replica) compareAll(ctx context.Context, rng *rand.Rand, opt UpkeepOptions, turn chan struct{}) {
	c := &comparison{r: r, opt: opt, pairs: map[pair]*compared{}}
	for wait := time.Duration(0); pause(ctx, rng, opt.gap(), nil) && pause(ctx, rng, wait, opt.Changed); wait = opt.Every - opt.gap() {
		turn <- struct{}{} // whoever has it ends with ctx
		err := c.round(ctx)
		<-turn
		if err != nil && ctx.Err() == nil {
			r.opt.Log.Info("some slots could not be compared with their other owners, or not repaired", "error", err)
		}
	}
}

// pause waits for about d, a quarter more or less, or until changed says so. It returns false when ctx is done.
func pause(ctx context.Context, rng *rand.Rand, d time.Duration, changed <-chan struct{}) bool {
	if d <= 0 {
		return ctx.Err() == nil
	}
	timer := time.NewTimer(d*3/4 + time.Duration(rng.Int64N(int64(d)/2+1)))
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-changed:
	case <-ctx.Done():
	}
	return ctx.Err() == nil
}

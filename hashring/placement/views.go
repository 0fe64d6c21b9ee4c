package placement

import (
	"cmp"
	"context"
	"log/slog"
	"slices"
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"ringkv/hashring/following"
	"ringkv/hashring/membership"
)

// Members says who is passing. *membership.Watcher and *membership.Fixed do.
type Members interface {
	Snapshot() *membership.Snapshot // nil while it isn't known
	Subscribe() <-chan struct{}
	LastContact() time.Time // when that was last confirmed; zero if never
}

// Documents says what the placement is. *Watcher does, and Static.
type Documents interface {
	Snapshot() *Snapshot // nil while it isn't known
	Subscribe() <-chan struct{}
	LastContact() time.Time // when that was last confirmed; zero if never
}

// ViewsOptions are what Views is made from.
type ViewsOptions struct {
	Documents Documents
	Members   Members
	Log       *slog.Logger         // nil: slog.Default()
	Metrics   *prometheus.Registry // nil: none
}

// Views keeps the current View. Run it once, beside its Documents and Members; everything else is safe for concurrent
// use at any time.
type Views struct {
	o       ViewsOptions
	latest  atomic.Pointer[View]
	ready   chan struct{} // closed with the first view
	wakes   following.Followers
	changed [2]<-chan struct{}
}

// NewViews returns a Views without a view yet.
func NewViews(o ViewsOptions) *Views {
	o.Log = cmp.Or(o.Log, slog.Default())
	v := &Views{o: o, ready: make(chan struct{})}
	v.changed = [2]<-chan struct{}{o.Documents.Subscribe(), o.Members.Subscribe()}
	if o.Metrics != nil {
		registerViews(o.Metrics, v)
	}
	return v
}

// View returns the current view, nil while there is no document or nothing is known of who passes. It takes one atomic load.
func (v *Views) View() *View { return v.latest.Load() }

// Ready is closed once there is a view.
func (v *Views) Ready() <-chan struct{} { return v.ready }

// Subscribe returns a channel that holds a wake-up whenever the view changed since the last one was taken: see following.Followers.
func (v *Views) Subscribe() <-chan struct{} { return v.wakes.Subscribe() }

// Age is how long ago the older half of the view was last confirmed by its source, 0 if one never was.
func (v *Views) Age(now time.Time) time.Duration {
	oldest := v.o.Documents.LastContact()
	if m := v.o.Members.LastContact(); m.Before(oldest) {
		oldest = m
	}
	if oldest.IsZero() {
		return 0
	}
	return max(0, now.Sub(oldest))
}

// Run builds a view whenever the placement or the members change, until ctx is done; it returns nil then.
func (v *Views) Run(ctx context.Context) error {
	for {
		v.build()
		select {
		case <-v.changed[0]:
		case <-v.changed[1]:
		case <-ctx.Done():
			return nil
		}
	}
}

// build publishes the view of what is known now, if it is another one.
func (v *Views) build() {
	docs, members := v.o.Documents.Snapshot(), v.o.Members.Snapshot()
	old := v.View()
	if docs == nil || docs.Document == nil || members == nil || old.equal(docs.Document, members) {
		return
	}
	next, err := old.Next(docs.Document, members)
	if err != nil {
		v.o.Log.Error("no view of the placement; going on with the last one", "generation", docs.Document.Generation, "error", err)
		return
	}
	v.latest.Store(next)
	if old == nil {
		close(v.ready)
	}
	v.logChange(old, next)
	v.wakes.Wake()
}

// logChange says what is new: who is asked, the generation, who is refused.
func (v *Views) logChange(old, next *View) {
	had, has := old.passing(), next.passing()
	added, removed := without(has, had), without(had, has)
	if old == nil || len(added)+len(removed) > 0 || old.Generation() != next.Generation() {
		v.o.Log.Info("ring changed", "added", added, "removed", removed, "size", len(has), "generation", next.Generation(), "why", next.Document().Why)
	}
	var known []membership.Member
	if old != nil {
		known = old.Refused()
	}
	for _, m := range next.Refused() {
		if !slices.Contains(known, m) {
			v.o.Log.Error("node left out: its -replicas differs from the placement's; start it with the same",
				"node", m.ID, "replicas", m.Replicas, "placement", next.Document().Replicas)
		}
	}
}

// without returns what is in a and not in b, both sorted; never nil, so that it shows as [].
func without(a, b []string) []string {
	out := []string{}
	for _, s := range a {
		if _, found := slices.BinarySearch(b, s); !found {
			out = append(out, s)
		}
	}
	return out
}

// Static is the Documents of a placement that never changes, such as FixedDocument's.
type Static struct{ doc *Document }

// NewStatic returns Documents that are doc for good.
func NewStatic(doc *Document) Static { return Static{doc} }

// Snapshot returns the document, as nobody but this program holds it.
func (s Static) Snapshot() *Snapshot { return &Snapshot{Document: s.doc} }

// Subscribe returns a channel that never wakes.
func (Static) Subscribe() <-chan struct{} { return nil }

// LastContact is now: a fixed document is never out of date.
func (Static) LastContact() time.Time { return time.Now() }

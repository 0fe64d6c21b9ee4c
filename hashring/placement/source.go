package placement

import (
	"context"
	"log/slog"
	"time"

	"github.com/hashicorp/consul/api"
	"github.com/prometheus/client_golang/prometheus"
	"golang.org/x/sync/errgroup"

	"ringkv/hashring/membership"
)

// SourceOptions are what a Source is made from, be it Consul or a list.
type SourceOptions struct {
	Service  string // name of the nodes' service in Consul
	Replicas int    // copies of each key
	Memory   Memory // nil: nothing is remembered over a restart
	Log      *slog.Logger
	Metrics  *prometheus.Registry
	Random   func() float64 // in [0,1), for jitter; nil: math/rand/v2
	Draining func() bool    // this program stops; nil: it doesn't
}

// A Source is everything that a program runs to have a View: who passes, what the placement is, and the two joined. Run it once;
// everything else is safe for concurrent use at any time.
type Source struct {
	*Views
	Members   Members
	Documents Documents
	Outage    func() time.Time // when Consul was last out of reach, for either question; the zero time if it never was
	Problem   func() error     // why the placement that Consul holds isn't taken; nil if it is, or if none is known
	parts     []func(context.Context) error
}

// FromConsul follows Consul.
func FromConsul(client *api.Client, o SourceOptions) (*Source, error) {
	return FromQueries(membership.NewConsulQuery(client, o.Service), membership.NewHTTPProbe(), NewConsulQuery(client, Key(o.Service)), o)
}

// FromQueries follows whatever answers as Consul does: about who passes, and about the placement. probe asks the nodes
// themselves.
func FromQueries(passing membership.Query, probe membership.Probe, document Query, o SourceOptions) (*Source, error) {
	members := membership.NewWatcher(passing, probe, membership.Options{Log: o.Log, Metrics: o.Metrics, Random: o.Random, Draining: o.Draining})
	documents, err := NewWatcher(WatcherOptions{
		Query:    document,
		Replicas: o.Replicas,
		Memory:   o.Memory,
		Log:      o.Log,
		Metrics:  o.Metrics,
		Random:   o.Random,
	})
	if err != nil {
		return nil, err
	}
	s := newSource(members, documents, o)
	s.Outage = func() time.Time {
		if members.State() == membership.Blind { // who passes is as old as that, be the placement ever so fresh
			return time.Now()
		}
		return documents.LastOutage()
	}
	s.Problem = documents.Err
	s.parts = append(s.parts, members.Run, documents.Run)
	return s, nil
}

// FromList follows a list of nodes given by hand: the placement for good.
func FromList(list []string, o SourceOptions) (*Source, error) {
	members, err := membership.NewFixed(list, membership.NewHTTPProbe(), membership.Options{Log: o.Log, Metrics: o.Metrics, Random: o.Random, Draining: o.Draining})
	if err != nil {
		return nil, err
	}
	doc, err := FixedDocument(list, o.Replicas)
	if err != nil {
		return nil, err
	}
	s := newSource(members, NewStatic(doc), o)
	s.Outage = func() time.Time { return time.Time{} }
	s.Problem = func() error { return nil }
	s.parts = append(s.parts, members.Run)
	return s, nil
}

func newSource(members Members, documents Documents, o SourceOptions) *Source {
	views := NewViews(ViewsOptions{Documents: documents, Members: members, Log: o.Log, Metrics: o.Metrics})
	return &Source{Views: views, Members: members, Documents: documents, parts: []func(context.Context) error{views.Run}}
}

// Run follows the nodes until ctx is done, and returns nil then.
func (s *Source) Run(ctx context.Context) error {
	g, ctx := errgroup.WithContext(ctx)
	for _, part := range s.parts {
		g.Go(func() error { return part(ctx) })
	}
	return g.Wait()
}

// Waits says what requests wait for before any can be served, and what to do about it; "" if they are.
func (s *Source) Waits() string {
	switch view, problem := s.View(), s.Problem(); {
	case view == nil && s.Members.Snapshot() == nil:
		return "nothing is known of the nodes yet: is Consul up, and CONSUL_HTTP_ADDR right?"
	case view == nil && problem != nil:
		return "the placement in Consul is not taken: " + problem.Error()
	case view == nil:
		return "there is no placement yet: it is written once the first nodes pass their checks"
	case len(view.Nodes()) == 0:
		return "none of the placement's nodes passes its check"
	}
	return ""
}

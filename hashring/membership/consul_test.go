package membership

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"net/http/httptest"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/hashicorp/consul/api"

	"ringkv/hashring"
)

// A stub speaks Consul's HTTP: a query with an index parks until the test publishes another one.
type stub struct {
	t      *testing.T
	client *api.Client

	mu      sync.Mutex // guards what follows
	index   uint64
	entries []*api.ServiceEntry
	status  int // of every answer, if not 0
	headers map[string]string
	changed chan struct{}
	queries []string
}

func newStub(t *testing.T) *stub {
	s := &stub{t: t, index: 1, changed: make(chan struct{})}
	server := httptest.NewServer(s)
	t.Cleanup(server.Close)
	config := api.DefaultConfig()
	config.Address = server.Listener.Addr().String()
	client, err := api.NewClient(config)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(config.Transport.CloseIdleConnections)
	s.client = client
	return s
}

func (s *stub) publish(index uint64, entries ...*api.ServiceEntry) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.index, s.entries = index, entries
	close(s.changed)
	s.changed = make(chan struct{})
}

func (s *stub) answer(status int, headers map[string]string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.status, s.headers = status, headers
}

func (s *stub) asked() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.queries)
}

func (s *stub) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if r.URL.Path != "/v1/health/service/ringkv-node" {
		http.NotFound(w, r)
		return
	}
	var waited uint64
	if text := r.URL.Query().Get("index"); text != "" {
		var err error
		if waited, err = strconv.ParseUint(text, 10, 64); err != nil {
			http.Error(w, "bad index", http.StatusBadRequest)
			return
		}
	}
	s.mu.Lock()
	s.queries = append(s.queries, r.URL.RawQuery)
	for waited > 0 && s.index == waited && s.status == 0 {
		changed := s.changed
		s.mu.Unlock()
		select {
		case <-changed:
		case <-r.Context().Done():
			return
		}
		s.mu.Lock()
	}
	defer s.mu.Unlock()
	w.Header().Set("X-Consul-Index", strconv.FormatUint(s.index, 10))
	w.Header().Set("X-Consul-LastContact", "0") // without it the client reads none of the headers after it
	for k, v := range s.headers {
		w.Header().Set(k, v)
	}
	if s.status != 0 {
		http.Error(w, "as the test wants it", s.status)
		return
	}
	if err := json.NewEncoder(w).Encode(s.entries); err != nil {
		s.t.Errorf("answer a query: %v", err)
	}
}

// instance is a node's registration as Consul shows it.
func instance(id string, edit ...func(*api.ServiceEntry)) *api.ServiceEntry {
	e := &api.ServiceEntry{
		Node: &api.Node{Node: "host", Address: "10.0.0.1"},
		Service: &api.AgentService{
			ID: "ringkv-node-" + id, Service: "ringkv-node", Address: "10.0.0.2", Port: 5000, CreateIndex: 3,
			Meta:    map[string]string{"node_id": id, "disk": "d-" + id, "replicas": "3", "zone": "z"},
			Weights: api.AgentWeights{Passing: 4, Warning: 1},
		},
		Checks: api.HealthChecks{{CheckID: "c", Status: api.HealthPassing}},
	}
	for _, f := range edit {
		f(e)
	}
	return e
}

func TestConsulQueryReadsEntries(t *testing.T) {
	whole := Member{Member: hashring.Member{ID: "n1", Weight: 4, Zone: "z"}, Addr: "10.0.0.2:5000", Disk: "d-n1", Replicas: 3}
	with := func(f func(*Member)) Member { m := whole; f(&m); return m }
	type edit = func(*api.ServiceEntry)
	meta := func(k, v string) edit { return func(e *api.ServiceEntry) { e.Service.Meta[k] = v } }
	for _, c := range []struct {
		name string
		edit edit
		want Entry
		why  string // it's skipped, if not empty
	}{
		{"whole", func(*api.ServiceEntry) {}, Entry{Member: whole, Created: 3, Passing: true}, ""},
		{"address of the agent's node", func(e *api.ServiceEntry) { e.Service.Address = "" },
			Entry{Member: with(func(m *Member) { m.Addr = "10.0.0.1:5000" }), Created: 3, Passing: true}, ""},
		{"IPv6", func(e *api.ServiceEntry) { e.Service.Address = "::1" },
			Entry{Member: with(func(m *Member) { m.Addr = "[::1]:5000" }), Created: 3, Passing: true}, ""},
		{"no weight", func(e *api.ServiceEntry) { e.Service.Weights = api.AgentWeights{} },
			Entry{Member: with(func(m *Member) { m.Weight = 1 }), Created: 3, Passing: true}, ""},
		{"no replicas, zone and disk",
			func(e *api.ServiceEntry) { e.Service.Meta = map[string]string{"node_id": "n1"} },
			Entry{Member: with(func(m *Member) { m.Replicas, m.Zone, m.Disk = 0, "", "" }), Created: 3, Passing: true}, ""},
		{"critical", func(e *api.ServiceEntry) { e.Checks[0].Status = api.HealthCritical }, Entry{Member: whole, Created: 3}, ""},
		{"warning", func(e *api.ServiceEntry) { e.Checks[0].Status = api.HealthWarning }, Entry{Member: whole, Created: 3}, ""},
		{"maintenance", func(e *api.ServiceEntry) {
			e.Checks = append(e.Checks, &api.HealthCheck{CheckID: "_service_maintenance:ringkv-node-n1", Status: api.HealthCritical})
		}, Entry{Member: whole, Created: 3, Maintenance: true}, ""},
		{"no id", meta("node_id", ""), Entry{}, "node_id is missing"},
		{"id with a space", meta("node_id", "n 1"), Entry{}, "can't be shown"},
		{"id with a control character", meta("node_id", "n\x1b[2J"), Entry{}, "can't be shown"},
		{"replicas in words", meta("replicas", "three"), Entry{}, "not a count"},
		{"no replicas at all", meta("replicas", "0"), Entry{}, "not a count"},
		{"no port", func(e *api.ServiceEntry) { e.Service.Port = 0 }, Entry{}, "can't be dialled"},
		{"no address", func(e *api.ServiceEntry) { e.Service.Address, e.Node = "", nil }, Entry{}, "can't be dialled"},
		{"no service", func(e *api.ServiceEntry) { e.Service = nil }, Entry{}, "without a service"},
	} {
		t.Run(c.name, func(t *testing.T) {
			s := newStub(t)
			s.publish(7, instance("n1", c.edit), instance("n2"))
			answer, err := NewConsulQuery(s.client, "ringkv-node")(t.Context(), Request{All: true})
			if err != nil || answer.Index != 7 {
				t.Fatalf("query = %+v, %v, want index 7", answer, err)
			}
			if c.why != "" {
				if len(answer.Entries) != 1 || len(answer.Skipped) != 1 || !strings.Contains(answer.Skipped[0], c.why) {
					t.Errorf("entries %+v, skipped %q, want only n2, and %q", answer.Entries, answer.Skipped, c.why)
				}
				return
			}
			if len(answer.Entries) != 2 || answer.Entries[0] != c.want || len(answer.Skipped) != 0 {
				t.Errorf("entries %+v, skipped %q, want first %+v", answer.Entries, answer.Skipped, c.want)
			}
		})
	}
}

func TestConsulQueryTellsErrorsApart(t *testing.T) {
	for _, c := range []struct {
		status int
		want   error
	}{
		{http.StatusForbidden, ErrForbidden},
		{http.StatusInternalServerError, ErrNoServer},
		{http.StatusServiceUnavailable, ErrNoServer},
	} {
		s := newStub(t)
		s.answer(c.status, nil)
		if _, err := NewConsulQuery(s.client, "ringkv-node")(t.Context(), Request{}); !errors.Is(err, c.want) {
			t.Errorf("status %d: error %v, want %v", c.status, err, c.want)
		}
	}
}

func TestConsulQueryAsksWhatItShould(t *testing.T) {
	s := newStub(t)
	s.publish(9)
	for _, c := range []struct {
		req  Request
		want string
	}{
		{Request{}, "passing=1"},
		{Request{Index: 7, Wait: 30 * time.Second}, "index=7&passing=1&wait=30000ms"},
		{Request{All: true, Consistent: true}, "consistent="},
		{Request{Stale: true}, "passing=1&stale="},
	} {
		if _, err := NewConsulQuery(s.client, "ringkv-node")(t.Context(), c.req); err != nil {
			t.Fatal(err)
		}
		asked := s.asked()
		if got := asked[len(asked)-1]; got != c.want {
			t.Errorf("%+v asks %q, want %q", c.req, got, c.want)
		}
	}
}

// eventually polls until ok.
func eventually(t *testing.T, within time.Duration, what string, ok func() bool) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), within)
	defer cancel()
	for !ok() {
		if ctx.Err() != nil {
			t.Fatalf("not within %v: %s", within, what)
		}
		sleep(ctx, 2*time.Millisecond)
	}
}

func lists(w source, want ...string) func() bool {
	return func() bool {
		s := w.Snapshot()
		return s != nil && slices.Equal(ids(s.Members), want)
	}
}

func at(port int) func(*api.ServiceEntry) {
	return func(e *api.ServiceEntry) { e.Service.Port = port }
}

// The whole way over HTTP, with an index that goes backwards and a server that fails in between.
func TestWatcherOverHTTP(t *testing.T) {
	s := newStub(t)
	s.publish(7, instance("n1"), instance("n2", at(5001)))
	serves := func(context.Context, Member) error { return nil }
	w := NewWatcher(NewConsulQuery(s.client, "ringkv-node"), serves, quiet())
	run(t, w.Run)
	const soon = 30 * time.Second
	eventually(t, soon, "the first answer", lists(w, "n1", "n2"))
	s.publish(8, instance("n2", at(5001)))
	eventually(t, soon, "n1 leaves", lists(w, "n2"))
	s.publish(3, instance("n2", at(5001)), instance("n3", at(5002)))
	eventually(t, soon, "an index that goes back", lists(w, "n2", "n3"))

	s.answer(http.StatusInternalServerError, nil)
	s.publish(4)
	eventually(t, soon, "blind", func() bool { return w.State() == Blind })
	s.answer(0, map[string]string{"X-Consul-Results-Filtered-By-ACLs": "true"})
	before := len(s.asked())
	eventually(t, soon, "more questions", func() bool { return len(s.asked()) > before+2 })
	if w.State() != Blind || !lists(w, "n2", "n3")() {
		t.Errorf("a filtered answer was taken for whole: %v, %v", w.State(), w.Snapshot())
	}
	s.publish(5, instance("n1"))
	s.answer(0, nil)
	eventually(t, soon, "n1 is there, and n2 and n3 are held since they serve", lists(w, "n1", "n2", "n3"))
}

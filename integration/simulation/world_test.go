package simulation

import (
	"fmt"
	"hash/fnv"
	"math/rand/v2"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"ringkv/gateway/coordinator"
	"ringkv/hashring"
	"ringkv/hashring/placement"
	"ringkv/integration/oracle"
	"ringkv/node/store/disk/faulty"
)

// A world is all of one run. It lives in a synctest bubble.
type world struct {
	seed     uint64
	plan     *plan
	trace    *trace
	net      *network
	consul   *consul
	nodes    []*node
	gateways []*gateway
	history  *oracle.History
	registry *prometheus.Registry
	metrics  *coordinator.Metrics // of all processes
	lives    sync.WaitGroup       // of processes
	faults   sync.WaitGroup       // under way

	mu        sync.Mutex // guards the rest
	failures  []string
	highest   uint64 // generation ever written
	written   int    // placements
	stirring  chan struct{}
	stirs     int
	left      map[string]int // operations that a key may yet have
	flying    map[string]int // operations under way
	sights    []oracle.Op
	ledger    ledger
	ended     bool       // the run is over
	disturbed bool       // more faults may begin
	ears      *rand.Rand // of overhear
	overheard int
	serials   int // of what crowds write
	owed      int // losses that nobody could be told of yet
}

func newWorld(seed uint64) *world {
	start := time.Now()
	since := func() time.Duration { return time.Since(start) }
	w := &world{seed: seed, stirring: make(chan struct{}), left: map[string]int{}, flying: map[string]int{}, ledger: newLedger(), history: oracle.NewHistory(since)}
	w.plan = newPlan(w.random("plan"))
	w.registry = prometheus.NewRegistry()
	w.metrics = coordinator.NewMetrics(w.registry)
	w.trace = &trace{start: start, slots: map[int]bool{}}
	for _, key := range w.plan.keys {
		w.trace.slots[hashring.SlotOf(key)] = true
		w.left[key] = opsPerKey
	}
	w.ears = w.random("ears")
	w.net = newNetwork(w)
	w.consul = newConsul(w)
	for i := range w.plan.nodes {
		n := &node{machine: machine{w: w, name: string(rune('a' + i))}}
		n.disk.Store(faulty.New())
		n.port.Store(5000)
		w.nodes = append(w.nodes, n)
	}
	for i := range w.plan.gateways {
		w.gateways = append(w.gateways, &gateway{machine: machine{w: w, name: fmt.Sprint("g", i)}})
	}
	return w
}

// random returns a generator of the seed for one purpose, so that what one part draws leaves the others alone. It is safe for
// concurrent use.
func (w *world) random(purpose string) *rand.Rand {
	h := fnv.New64a()
	h.Write([]byte(purpose))
	return rand.New(&source{pcg: rand.NewPCG(w.seed, h.Sum64())})
}

// A source is a rand.Source that several goroutines may draw from.
type source struct {
	mu  sync.Mutex // guards pcg
	pcg *rand.PCG
}

// Uint64 implements rand.Source.
func (s *source) Uint64() uint64 {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.pcg.Uint64()
}

func (w *world) node(name string) *node {
	for _, n := range w.nodes {
		if n.name == name {
			return n
		}
	}
	return nil
}

func (w *world) machines() (all []*machine) {
	for _, n := range w.nodes {
		all = append(all, &n.machine)
	}
	for _, g := range w.gateways {
		all = append(all, &g.machine)
	}
	return all
}

// fail notes that a promise was broken.
func (w *world) fail(what string, args ...any) {
	text := fmt.Sprintf(what, args...)
	w.trace.note("-", "%s", "VIOLATION: "+text)
	w.mu.Lock()
	defer w.mu.Unlock()
	w.failures = append(w.failures, text)
}

// placed notes that a placement was written.
func (w *world) placed(d *placement.Document) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.highest = max(w.highest, d.Generation)
	w.ledger.documents = append(w.ledger.documents, d)
	w.written++
	w.stirLocked()
}

// founded reports whether a placement was ever written.
func (w *world) founded() bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.written > 0
}

// stir wakes the users: something is happening that they should be in the middle of.
func (w *world) stir() {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.stirLocked()
}

func (w *world) stirLocked() {
	close(w.stirring)
	w.stirs++
	w.stirring = make(chan struct{})
}

func (w *world) stirred() <-chan struct{} {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.stirring
}

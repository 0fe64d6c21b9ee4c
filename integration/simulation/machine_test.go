package simulation

import (
	"context"
	"sync"
	"time"
)

// A machine is where one node or gateway runs. Its network and its disk outlive its processes.
type machine struct {
	w    *world
	name string

	mu      sync.Mutex // guards the rest
	running *process   // nil while it's down
	life    int
	paused  bool
	held    []func() // what waits for it to be woken
	skew    time.Duration
	seized  bool // a fault is at it
}

// A process is one life of a machine.
type process struct {
	m      *machine
	life   int
	ctx    context.Context // of everything that it does
	cancel context.CancelFunc
	work   sync.WaitGroup
}

// begin starts a life.
func (m *machine) begin() *process {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.life++
	p := &process{m: m, life: m.life}
	p.ctx, p.cancel = context.WithCancel(context.Background())
	m.running = p
	return p
}

// end ends the life of p for all others; its goroutines are told to stop.
func (m *machine) end() *process {
	m.mu.Lock()
	defer m.mu.Unlock()
	p := m.running
	m.running = nil
	if p != nil {
		p.cancel()
	}
	return p
}

// endOf ends the life of p, unless it has ended already.
func (m *machine) endOf(p *process) bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.running != p {
		return false
	}
	m.running = nil
	p.cancel()
	return true
}

// first reports whether the machine has never run, as if it were about to.
func (m *machine) first() bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.life == 0
}

// alive reports whether the process still runs.
func (p *process) alive() bool {
	p.m.mu.Lock()
	defer p.m.mu.Unlock()
	return p.m.running == p
}

// up reports whether the machine runs a process that isn't paused.
func (m *machine) up() bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.running != nil && !m.paused
}

// now is the time by this machine's clock.
func (m *machine) now() time.Time {
	m.mu.Lock()
	defer m.mu.Unlock()
	return time.Now().Add(m.skew)
}

func (m *machine) setSkew(d time.Duration) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.skew = d
}

// whenAwake calls f, at once unless the machine is paused. What a paused machine would do, or receive, waits.
func (m *machine) whenAwake(f func()) {
	m.mu.Lock()
	if m.paused {
		m.held = append(m.held, f)
		m.mu.Unlock()
		return
	}
	m.mu.Unlock()
	f()
}

func (m *machine) pause() {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.paused = true
}

// resume lets go on what was held, in the order in which it came.
func (m *machine) resume() {
	m.mu.Lock()
	held := m.held
	m.paused, m.held = false, nil
	m.mu.Unlock()
	for i, f := range held {
		time.AfterFunc(time.Duration(i+1)*7919*time.Nanosecond, f)
	}
}

// sleep returns after d, or at once with an error when ctx is done.
func sleep(ctx context.Context, d time.Duration) error {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

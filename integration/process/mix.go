//go:build integration && linux

package process

import (
	"math/rand/v2"
	"os"
	"os/exec"
	"slices"
	"syscall"
	"testing"
)

// A Mix breaks things at random. What is broken already isn't broken twice.
type Mix struct {
	c      *Cluster
	rng    *rand.Rand
	broken map[string]bool // by name: nodes, gateways and Consul
	wiped  bool            // a disk is lost: another one would be one too many, until all is whole again
}

// An undo makes whole what was broken.
type undo func(t testing.TB)

// A way to break something. begin returns nil where that isn't possible now.
type way struct {
	name  string
	begin func(m *Mix, t testing.TB) (what string, end undo)
}

// ways returns all that this machine allows.
func ways() []way {
	all := []way{
		{"kill", (*Mix).kill}, {"pause", (*Mix).pause}, {"destroy", (*Mix).destroy}, {"restart", (*Mix).restart}, {"wipe", (*Mix).wipe},
		{"kill a gateway", (*Mix).killGateway}, {"pause a gateway", (*Mix).pauseGateway},
		{"stop Consul", (*Mix).stopConsul}, {"pause Consul", (*Mix).pauseConsul}, {"empty Consul", (*Mix).emptyConsul},
	}
	if _, err := exec.LookPath("strace"); err == nil {
		all = append(all, way{"slow disk", (*Mix).slowDisk}, way{"bad disk", (*Mix).badDisk})
	}
	if _, err := exec.LookPath("iptables"); err == nil && os.Getenv(apartEnv) != "" {
		all = append(all, way{"cut", (*Mix).cut}, way{"lost answers", (*Mix).loseAnswers}, way{"cut from Consul", (*Mix).cutConsul}, way{"lost packets", (*Mix).losePackets})
	}
	return all
}

// take returns one of the names that isn't broken, and notes that it is now; empty if all are.
func (m *Mix) take(names ...string) string {
	names = slices.DeleteFunc(slices.Clone(names), func(name string) bool { return m.broken[name] })
	if len(names) == 0 {
		return ""
	}
	name := pick(m.rng, names)
	m.broken[name] = true
	return name
}

// whole forgets all that was broken.
func (m *Mix) whole() { m.broken, m.wiped = map[string]bool{}, false }

func (m *Mix) kill(t testing.TB) (string, undo) {
	id := m.take(m.c.Nodes()...)
	if id == "" {
		return "", nil
	}
	m.c.KillNode(t, id)
	return id, func(t testing.TB) { m.c.StartNode(t, id) }
}

func (m *Mix) destroy(t testing.TB) (string, undo) {
	id := m.take(m.c.Nodes()...)
	if id == "" {
		return "", nil
	}
	m.c.DestroyNode(t, id)
	return id, func(t testing.TB) { m.c.StartNode(t, id) }
}

func (m *Mix) restart(t testing.TB) (string, undo) {
	id := m.take(m.c.Nodes()...)
	if id == "" {
		return "", nil
	}
	m.c.StopNode(t, id)
	return id, func(t testing.TB) { m.c.StartNode(t, id) }
}

func (m *Mix) wipe(t testing.TB) (string, undo) {
	if m.wiped {
		return "", nil
	}
	id, end := m.kill(t)
	if end != nil {
		m.wiped = true
		m.c.WipeNode(t, id)
	}
	return id, end
}

func (m *Mix) pause(t testing.TB) (string, undo) { return m.freeze(t, m.take(m.c.Nodes()...)) }

// pauseGateway leaves another one: while all of them stand still no request ends, and the faults go by the number of those that have.
func (m *Mix) pauseGateway(t testing.TB) (string, undo) {
	if slices.ContainsFunc(m.c.Gateways(), func(name string) bool { return m.broken[name] }) {
		return "", nil
	}
	return m.freeze(t, m.take(m.c.Gateways()...))
}

func (m *Mix) freeze(t testing.TB, name string) (string, undo) {
	if name == "" {
		return "", nil
	}
	m.c.Pause(t, name)
	return name, func(t testing.TB) { m.c.Resume(t, name) }
}

func (m *Mix) killGateway(t testing.TB) (string, undo) {
	name := m.take(m.c.Gateways()...)
	if name == "" {
		return "", nil
	}
	m.c.KillGateway(t, name)
	return name, func(t testing.TB) { m.c.StartGateway(t, name) }
}

func (m *Mix) stopConsul(testing.TB) (string, undo) {
	if m.take("Consul") == "" {
		return "", nil
	}
	m.c.Consul.Kill()
	return "Consul", func(testing.TB) { m.c.Consul.Restart() }
}

func (m *Mix) pauseConsul(testing.TB) (string, undo) {
	if m.take("Consul") == "" {
		return "", nil
	}
	m.c.Consul.Pause()
	return "Consul", func(testing.TB) { m.c.Consul.Resume() }
}

func (m *Mix) emptyConsul(testing.TB) (string, undo) {
	if m.take("Consul") == "" {
		return "", nil
	}
	m.c.Consul.Kill()
	return "Consul", func(testing.TB) { m.c.Consul.Empty() }
}

func (m *Mix) slowDisk(t testing.TB) (string, undo) {
	id := m.take(m.c.Nodes()...)
	if id == "" {
		return "", nil
	}
	stop := inject(t, m.c.process(t, id), "fsync:delay_enter=100000")
	return id, func(testing.TB) { stop() }
}

// badDisk has an fsync fail, which only a restart cures.
func (m *Mix) badDisk(t testing.TB) (string, undo) {
	id := m.take(m.c.Nodes()...)
	if id == "" {
		return "", nil
	}
	stop := inject(t, m.c.process(t, id), "fsync:error=EIO")
	return id, func(t testing.TB) {
		m.c.end(t, id, syscall.SIGKILL)
		stop()
		m.c.StartNode(t, id)
	}
}

func (m *Mix) cut(t testing.TB) (string, undo) {
	from, to := pick(m.rng, append(m.c.Gateways(), m.c.Nodes()...)), pick(m.rng, m.c.Nodes())
	return from + " to " + to, heal(m.c.Cut(t, from, to, pick(m.rng, []string{drop, refuse})))
}

func (m *Mix) loseAnswers(t testing.TB) (string, undo) {
	id := pick(m.rng, m.c.Nodes())
	return id, heal(m.c.CutAnswers(t, id))
}

func (m *Mix) cutConsul(t testing.TB) (string, undo) {
	name := pick(m.rng, append(m.c.Gateways(), m.c.Nodes()...))
	return name, heal(m.c.CutConsul(t, name))
}

func (m *Mix) losePackets(t testing.TB) (string, undo) {
	return "5 % of all", heal(LosePackets(t, 0.05))
}

func heal(r Rule) undo {
	r.quiet = true // it may cut what another fault has silenced already
	return func(t testing.TB) { r.Heal(t) }
}

func pick(rng *rand.Rand, from []string) string { return from[rng.IntN(len(from))] }

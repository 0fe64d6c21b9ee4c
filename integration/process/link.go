//go:build integration && linux

package process

import (
	"fmt"
	"net"
	"os/exec"
	"strings"
	"testing"
	"time"
)

// How a link is cut: silently, as by a pulled cable, or with an answer that there is nobody.
const (
	drop   = "DROP"
	refuse = "REJECT --reject-with tcp-reset"
)

// A Rule is a firewall rule that stands until it's healed. The network that it stands in is the test's own.
type Rule struct {
	words []string
	name  string // in its comment
	quiet bool   // it may be that nothing was sent there meanwhile
}

// NeedLinks skips the test where links can't be cut. A cluster whose links are cut has to be Grouped.
func NeedLinks(t testing.TB) {
	t.Helper()
	needApart(t)
	need(t, "iptables", "the package of that name")
}

// Cut cuts what one process sends to the port of another, by names. The answers to what the other asks aren't in it.
func (c *Cluster) Cut(t testing.TB, from, to, how string) Rule {
	t.Helper()
	return c.cutPort(t, from, c.Address(t, to), how)
}

// CutConsul cuts what a process asks Consul.
func (c *Cluster) CutConsul(t testing.TB, from string) Rule {
	t.Helper()
	r := c.cutPort(t, from, c.Consul.Addr, drop)
	r.quiet = true // a blocking query waits in silence
	return r
}

func (c *Cluster) cutPort(t testing.TB, from, addr, how string) Rule {
	t.Helper()
	return rule(t, fmt.Sprintf("-m owner --gid-owner %d --dport %s -j %s", c.process(t, from).group, port(t, addr), how))
}

// CutChecks cuts Consul's health checks of a node, and what the test itself asks it.
func (c *Cluster) CutChecks(t testing.TB, node string) Rule {
	t.Helper()
	return rule(t, fmt.Sprintf("-m owner --gid-owner 0 --dport %s -j DROP", port(t, c.Address(t, node))))
}

// CutAnswers lets a process get everything, and loses all that it answers.
func (c *Cluster) CutAnswers(t testing.TB, from string) Rule {
	t.Helper()
	return rule(t, fmt.Sprintf("--sport %s -j DROP", port(t, c.Address(t, from))))
}

// LosePackets loses some of all packets, at random, 0 to 1.
func LosePackets(t testing.TB, share float64) Rule {
	t.Helper()
	return rule(t, fmt.Sprintf("-m statistic --mode random --probability %.3f -j DROP", share))
}

// Heal ends it, and fails the test if it has stopped nothing.
func (r Rule) Heal(t testing.TB) {
	t.Helper()
	out, err := exec.Command("iptables", "-w", "60", "-v", "-S", "OUTPUT").CombinedOutput()
	if err != nil {
		t.Fatalf("iptables -v -S: %v: %s", err, out)
	}
	for line := range strings.Lines(string(out)) {
		if strings.Contains(line, r.name+" ") && strings.Contains(line, "-c 0 0") && !r.quiet {
			t.Errorf("no packet came to the rule: %s", line)
		}
	}
	command(t, "iptables", append([]string{"-w", "60", "-D", "OUTPUT"}, r.words...)...)
}

func rule(t testing.TB, text string) Rule {
	t.Helper()
	NeedLinks(t)
	name := fmt.Sprintf("cut-%d", time.Now().UnixNano())
	r := Rule{words: append([]string{"-p", "tcp", "-m", "comment", "--comment", name}, strings.Fields(text)...), name: name}
	command(t, "iptables", append([]string{"-w", "60", "-A", "OUTPUT"}, r.words...)...)
	return r
}

func port(t testing.TB, addr string) string {
	t.Helper()
	_, port, err := net.SplitHostPort(addr)
	if err != nil {
		t.Fatal(err)
	}
	return port
}

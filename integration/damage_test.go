//go:build integration

package integration

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"testing"
	"time"

	"ringkv/integration/oracle"
)

// A node is away for a while, less than -rebalance-after; then another one comes back with bits of its disk flipped. Nothing wrong is
// ever said, and within a minute all owners hold the same, although nobody has asked for it.
func nodesBehind(t *testing.T, c *Cluster) {
	c.awaitStored(t, c.Generation(t)) // an earlier question may have emptied Consul,
	c.waitSettled(t)                  // and who settles its slots anew catches up by that
	l := c.StartLoad(t, steady, "g1", "g2")
	generation := c.Generation(t)
	l.Fault("kill n1")
	c.KillNode(t, "n1")
	c.WaitRing(t, 2)
	l.Continue(t, loadRate)
	pushed := c.repaired(t, "n2", "pushed") + c.repaired(t, "n3", "pushed")
	c.StartNode(t, "n1")
	c.WaitRing(t, 3)
	l.Continue(t, loadRate)
	c.awaitCaughtUp(t, pushed)

	l.Fault("kill n2, and flip bits on its disk")
	c.KillNode(t, "n2")
	flipped := c.flipBits(t, "n2", t.Name()[strings.Index(t.Name(), "/")+1:])
	c.StartNode(t, "n2")
	c.WaitRing(t, 3)
	c.expectNoLies(t, l, "n2")
	l.Continue(t, loadRate)
	c.awaitCopies(t, l)
	if s, err := c.Status(t, "n2"); err != nil || s.Damaged == 0 {
		t.Errorf("/status of n2 counts %d damaged places (%v), %d were", s.Damaged, err, flipped)
	}
	if n := c.repaired(t, "n2", "damage"); n == 0 {
		t.Errorf("/metrics of n2 says that nothing was repaired for damage, and %d places were damaged", flipped)
	}
	if now := c.Generation(t); now != generation {
		t.Errorf("generation %d became %d because of nodes that were away for less than -rebalance-after", generation, now)
	}
	l.Judge(t, Promise{Copies: 3})
}

// awaitCaughtUp waits until n1, which was away while keys were written, has fetched some of them or was sent some: n2 and n3 had pushed so many
// before it was back. Once n2 is killed it is too late to ask: what n2 has counted is gone, and what n2 itself lacks may come as a repair of damage.
func (c *Cluster) awaitCaughtUp(t *testing.T, pushed float64) {
	t.Helper()
	began := time.Now()
	eventually(t, readyPatience, "n1 catches up", func() error {
		if c.repaired(t, "n1", "fetched")+c.repaired(t, "n2", "pushed")+c.repaired(t, "n3", "pushed") <= pushed {
			return errors.New("/metrics of no node says that n1 fetched or was sent anything")
		}
		return nil
	})
	t.Logf("n1 had begun to catch up after %v", time.Since(began).Round(time.Millisecond))
}

// repaired returns how many records a node has repaired since it was started: fetched, pushed, or for damage.
func (c *Cluster) repaired(t *testing.T, id, how string) float64 {
	t.Helper()
	return c.metric(t, id, fmt.Sprintf("ringkv_replica_repaired_records_total{how=%q}", how))
}

// expectNoLies asks a node for what it holds itself of the keys that the load has written once. It may have no answer, and no wrong one.
func (c *Cluster) expectNoLies(t *testing.T, l *Load, id string) {
	t.Helper()
	silent := 0
	for _, key := range l.Keys() {
		if !strings.Contains(key, "/once/") {
			continue
		}
		r := c.client.Local(t.Context(), c.Address(t, id), key)
		if r.Status != 200 {
			silent++
			continue
		}
		if err := oracle.CheckValue(key, r.Value); err != nil {
			t.Errorf("%s, of which the disk is damaged, says: %v", id, err)
		}
	}
	t.Logf("%s, of which the disk is damaged, had no answer for %d keys when it was back", id, silent)
}

// segment is what every node begins with.
const segment = "/data/5000/segment-00000001.jsonl"

// flipBits flips one bit each in the values of some records on the disk of a node that is down, and one in a key, by which nobody
// knows what was lost there. The keys are some that contain name. It returns how many bits it were.
func (c *Cluster) flipBits(t *testing.T, id, name string) (flipped int) {
	t.Helper()
	const most, apart = 20, 10
	c.do(t, id, func(m *machine, ctx context.Context) error {
		return m.edit(ctx, segment, func(content []byte) {
			lines := bytes.SplitAfter(content, []byte("\n")) // parts of content
			for i, of := 0, 0; i < len(lines)-apart && flipped < most; i++ {
				value := bytes.Index(lines[i], []byte(`"value":"`))
				if value < 0 || !bytes.Contains(lines[i], []byte(name+"/once/")) {
					continue
				}
				switch of++; {
				case of == apart:
					lines[i][len(`{"key":"`)] ^= 1
					flipped++
				case of%apart == 0:
					lines[i][value+len(`"value":"`)] ^= 1
					flipped++
				}
			}
		})
	})
	if flipped < 2 {
		t.Fatalf("%s of %s has no records of %s to damage", segment, id, name)
	}
	t.Logf("%d bits were flipped in %s of %s", flipped, segment, id)
	return flipped
}

// metric returns what a machine says of itself.
func (c *Cluster) metric(t *testing.T, name, series string) float64 {
	t.Helper()
	r := c.client.Do(t.Context(), "GET", c.Address(t, name), "/metrics", nil)
	for line := range strings.Lines(r.Text) {
		if text, found := strings.CutPrefix(line, series+" "); found {
			value, err := strconv.ParseFloat(strings.TrimSpace(text), 64)
			if err != nil {
				t.Fatalf("/metrics of %s: %s", name, line)
			}
			return value
		}
	}
	t.Fatalf("/metrics of %s has no %s: %v", name, series, r)
	return 0
}

//go:build integration

package integration

import (
	"bytes"
	"context"
	"strconv"
	"strings"
	"testing"

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
	c.StartNode(t, "n1")
	c.WaitRing(t, 3)
	l.Continue(t, loadRate)

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
	if n := c.metric(t, "n2", `ringkv_replica_repaired_records_total{how="damage"}`); n == 0 {
		t.Errorf("/metrics of n2 says that nothing was repaired for damage, and %d places were damaged", flipped)
	}
	caughtUp := 0.0 // of n2 alone for sure: what n2 pushed to n1 before it was killed is counted nowhere any more
	for _, id := range []string{"n1", "n2", "n3"} {
		caughtUp += c.metric(t, id, `ringkv_replica_repaired_records_total{how="fetched"}`) + c.metric(t, id, `ringkv_replica_repaired_records_total{how="pushed"}`)
	}
	if caughtUp == 0 {
		t.Error("n2 was away while keys were written, and /metrics of no node says that it fetched or was sent anything")
	}
	if now := c.Generation(t); now != generation {
		t.Errorf("generation %d became %d because of nodes that were away for less than -rebalance-after", generation, now)
	}
	l.Judge(t, Promise{Copies: 3})
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

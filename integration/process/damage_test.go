//go:build integration && linux

package process

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"ringkv/integration/load"
)

// A surgery changes the data directory of a node that is dead.
type surgery struct {
	name string
	do   func(t *testing.T, rng *rand.Rand, dir, others string)
}

func surgeries() []surgery {
	tail := func(change func(rng *rand.Rand, text []byte) []byte) func(*testing.T, *rand.Rand, string, string) {
		return func(t *testing.T, rng *rand.Rand, dir, _ string) { rewrite(t, last(t, dir), rng, change) }
	}
	flip := func(pattern string) func(*testing.T, *rand.Rand, string, string) {
		return func(t *testing.T, rng *rand.Rand, dir, _ string) {
			rewrite(t, pick(rng, files(t, dir, pattern)), rng, func(rng *rand.Rand, text []byte) []byte {
				text[rng.IntN(len(text))] ^= 1 << rng.IntN(8)
				return text
			})
		}
	}
	return []surgery{
		{"the tail cut", tail(func(rng *rand.Rand, text []byte) []byte { return text[:max(0, len(text)-1-rng.IntN(600))] })},
		{"a tail of NUL", tail(func(rng *rand.Rand, text []byte) []byte { return append(text, make([]byte, 1+rng.IntN(5000))...) })},
		{"a tail of garbage", tail(func(rng *rand.Rand, text []byte) []byte {
			for range 1 + rng.IntN(5000) {
				text = append(text, byte(rng.IntN(256)))
			}
			return text
		})},
		{"the last record doubled", tail(func(_ *rand.Rand, text []byte) []byte {
			return append(text, text[bytes.LastIndexByte(text[:len(text)-1], '\n')+1:]...)
		})},
		{"a bit of a segment", flip("segment-*.jsonl")},
		{"a bit of a hint", flip("hint-*.bin")},
		{"a bit of node.json", flip("node.json")},
		{"a bit of placement.json", flip("placement.json")},
		{"a bit of store.json", flip("store.json")},
		{"a segment taken away", func(t *testing.T, rng *rand.Rand, dir, _ string) {
			if err := os.Remove(pick(rng, files(t, dir, "segment-*.jsonl"))); err != nil {
				t.Fatal(err)
			}
		}},
		{"a segment emptied", func(t *testing.T, rng *rand.Rand, dir, _ string) {
			if err := os.Truncate(pick(rng, files(t, dir, "segment-*.jsonl")), 0); err != nil {
				t.Fatal(err)
			}
		}},
		{"a segment of another node", func(t *testing.T, _ *rand.Rand, dir, others string) {
			text, err := os.ReadFile(last(t, others))
			if err != nil {
				t.Fatal(err)
			}
			if err := os.WriteFile(last(t, dir), text, 0o600); err != nil {
				t.Fatal(err)
			}
		}},
		{"node.json taken away", func(t *testing.T, _ *rand.Rand, dir, _ string) {
			if err := os.Remove(filepath.Join(dir, "node.json")); err != nil {
				t.Fatal(err)
			}
		}},
	}
}

// Somebody, or a bad disk, changes the files of a dead node. It refuses to start, and an operator throws its data away as it asks
// for, or it starts and gets back from the others what it lost. It never says anything wrong, and nothing is lost.
func TestDamagedFilesAreNoticedAndReplaced(t *testing.T) {
	rng := newRandom(t)
	c := NewCluster(t, Options{NodeProgram: "kvnode-faults", NodeEnv: []string{"RINGKV_FAULT_SEGMENT_BYTES=65536"}})
	l := c.StartLoad(t, load.Churning)
	l.Continue(t, 2*load.Rate) // some segments are full
	var refused, accepted []string
	all := surgeries()
	rng.Shuffle(len(all), func(i, j int) { all[i], all[j] = all[j], all[i] })
	all = all[:min(2**rounds, len(all))]
	for range (*rounds + len(all) - 1) / len(all) {
		for _, s := range all {
			id := pick(rng, c.Nodes())
			another := pick(rng, slices.DeleteFunc(c.Nodes(), func(n string) bool { return n == id }))
			l.Fault("%s at %s", s.name, id)
			c.KillNode(t, id)
			s.do(t, rng, c.NodeData(id), c.NodeData(another))
			c.StartNode(t, id)
			if why := c.refusal(t, id); why != "" {
				t.Logf("%s: %s", s.name, why)
				refused = append(refused, s.name)
				c.WipeNode(t, id)
				c.StartNode(t, id)
			} else {
				accepted = append(accepted, s.name)
			}
			c.WaitWhole(t)
			began := time.Now()
			for _, id := range c.Nodes() { // another disk that fails before would be one too many
				load.Eventually(t, patience, id+" has repaired what was damaged", func() error { return c.undamaged(t, id) })
			}
			t.Logf("%s: repaired after %v more", s.name, time.Since(began).Round(time.Millisecond))
			l.Continue(t, load.Rate/4)
		}
	}
	for _, must := range []string{"a segment taken away", "a segment of another node", "node.json taken away"} {
		if slices.Contains(accepted, must) {
			t.Errorf("a node started with %s", must)
		}
	}
	judge(t, l, oneInTrouble, fmt.Sprintf("damage repaired: %s; refused: %s", strings.Join(accepted, ", "), strings.Join(refused, ", ")))
}

// undamaged returns nil once nothing of a node is in doubt any more.
func (c *Cluster) undamaged(t testing.TB, id string) error {
	t.Helper()
	r := c.client.Do(t.Context(), "GET", c.Address(t, id), "/metrics", nil)
	if !strings.Contains(r.Text, "\nringkv_store_doubtful_slots 0\n") {
		_, after, _ := strings.Cut(r.Text, "\nringkv_store_doubtful_slots ")
		return fmt.Errorf("%d, ringkv_store_doubtful_slots %.5s", r.Status, after)
	}
	return nil
}

// refusal waits until a node serves, and returns empty, or until it has ended, and returns why.
func (c *Cluster) refusal(t testing.TB, id string) (why string) {
	t.Helper()
	load.Eventually(t, patience, id+" serves or refuses", func() error {
		select {
		case <-c.process(t, id).gone():
			why = strings.TrimSpace(c.process(t, id).tail(400))
			return nil
		default:
			return c.healthy(t, id)
		}
	})
	return why
}

func files(t testing.TB, dir, pattern string) []string {
	t.Helper()
	paths, err := filepath.Glob(filepath.Join(dir, pattern))
	if err != nil || len(paths) == 0 {
		t.Fatalf("%s in %s = %v (%v), want some", pattern, dir, paths, err)
	}
	slices.Sort(paths)
	return paths
}

// last returns the segment that is written to.
func last(t testing.TB, dir string) string {
	t.Helper()
	all := files(t, dir, "segment-*.jsonl")
	return all[len(all)-1]
}

func rewrite(t testing.TB, path string, rng *rand.Rand, change func(*rand.Rand, []byte) []byte) {
	t.Helper()
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if len(text) == 0 { // a segment that was emptied before, or that had just begun
		return
	}
	if err := os.WriteFile(path, change(rng, text), 0o600); err != nil {
		t.Fatal(err)
	}
}

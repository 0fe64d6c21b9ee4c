//go:build integration

package integration

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"ringkv/hashring"
	"ringkv/integration/load"
)

// convergePatience is what is promised, 60 s, and the time that a busy machine takes to look through all keys.
const convergePatience = 90 * time.Second

// copiesPause leaves the disks to the nodes that are still filling theirs: a look reads all keys of all nodes.
const copiesPause = time.Second

// awaitCopies waits until each owner of each key of these loads, which must have ended, holds the same of it, and no other node holds
// anything of it. It reads what the nodes hold themselves: nothing is repaired by being read.
func (c *Cluster) awaitCopies(t *testing.T, loads ...*Load) {
	t.Helper()
	began := time.Now()
	var keys []string
	for _, l := range loads {
		l.Stop()
		keys = append(keys, l.Keys()...)
	}
	generation, owners := -1, map[int][]string{}
	load.EventuallyEvery(t, copiesPause, convergePatience, fmt.Sprintf("the owners of %d keys hold the same, and nobody else holds anything", len(keys)), func() error {
		if g := c.Generation(t); g != generation {
			generation, owners = g, c.slotOwners(t)
		}
		var why []string
		keys, why = c.unequal(t, keys, owners)
		if len(keys) == 0 {
			return nil
		}
		return fmt.Errorf("%d keys are not so yet:\n%s", len(keys), strings.Join(why[:min(len(why), 3)], "\n"))
	})
	t.Logf("all owners held the same %v after the load had ended", time.Since(began).Round(100*time.Millisecond))
}

// unequal returns those of the keys of which owners hold something different, or other nodes hold anything, and what each holds.
func (c *Cluster) unequal(t *testing.T, keys []string, owners map[int][]string) (bad, why []string) {
	t.Helper()
	addrs := map[string]string{}
	for _, id := range c.Nodes() {
		addrs[id] = c.Address(t, id)
	}
	work := make(chan string)
	var mu sync.Mutex // guards bad and why
	var asking sync.WaitGroup
	for range load.Clients {
		asking.Go(func() {
			for key := range work {
				mine, held := owners[hashring.SlotOf(key)], map[string]string{}
				same := map[string]bool{} // what owners hold
				elsewhere := false
				for id, addr := range addrs {
					r := c.client.Local(t.Context(), addr, key)
					held[id] = fmt.Sprintf("%d %s deleted=%v %.40q %v", r.Status, r.Version, r.Deleted, r.Value, r.Err)
					switch {
					case slices.Contains(mine, id):
						same[held[id]] = true
					case r.Status != 404:
						elsewhere = true
					}
				}
				if len(same) != 1 || elsewhere {
					mu.Lock()
					bad, why = append(bad, key), append(why, fmt.Sprintf("%q of slot %d is owned by %v: %v", key, hashring.SlotOf(key), mine, held))
					mu.Unlock()
				}
			}
		})
	}
	for _, key := range keys {
		work <- key
	}
	close(work)
	asking.Wait()
	return bad, why
}

// slotOwners asks a gateway for the owners of every slot.
func (c *Cluster) slotOwners(t testing.TB) map[int][]string {
	t.Helper()
	examples := map[int]string{}
	for i := 0; len(examples) < hashring.Slots; i++ {
		key := fmt.Sprint("example/", i)
		examples[hashring.SlotOf(key)] = key
	}
	owners := map[int][]string{}
	for slot, key := range examples {
		owners[slot] = c.OwnersOf(t, "g1", key)
	}
	return owners
}

// gained counts the slots that each node owns now and did not own before.
func gained(before, now map[int][]string) map[string]int {
	count := map[string]int{}
	for slot, owners := range now {
		for _, id := range owners {
			if !slices.Contains(before[slot], id) {
				count[id]++
			}
		}
	}
	return count
}

// copiesOf counts the slots that a node owns.
func copiesOf(owners map[int][]string, id string) (n int) {
	for _, of := range owners {
		if slices.Contains(of, id) {
			n++
		}
	}
	return n
}

func sum[K comparable, N int | int64](of map[K]N) (total N) {
	for n := range maps.Values(of) {
		total += n
	}
	return total
}

package hashring_test

import (
	"fmt"
	"testing"

	"github.com/cespare/xxhash/v2"

	"ringkv/hashring"
)

// byModulo is the step before the ring: a fixed list of nodes, and hash(key) % N as the index in it.
func byModulo(nodes []string, key string) string {
	return nodes[xxhash.Sum64String(key)%uint64(len(nodes))]
}

// byRing returns the first owner of key on a ring of nodes.
func byRing(nodes []string) (func(key string) string, error) {
	var members []hashring.Member
	for _, id := range nodes {
		members = append(members, hashring.Member{ID: id, Weight: 1})
	}
	ring, err := hashring.New(members, 1)
	if err != nil {
		return nil, err
	}
	return func(key string) string { return ring.Owners(hashring.SlotOf(key))[0] }, nil
}

const keys = 10_000

// movedKeys counts the keys that are on another node after than before.
func movedKeys(before, after func(key string) string) int {
	n := 0
	for i := range keys {
		key := fmt.Sprint("mykey", i)
		if before(key) != after(key) {
			n++
		}
	}
	return n
}

// A third node joins two. With hash(key) % N two thirds of the keys move, also between the nodes that were there before. On
// the ring a third does, all to the newcomer.
func Example_modulo() {
	two := []string{"http://localhost:5000", "http://localhost:5001"}
	three := append(two, "http://localhost:5002")

	ringOfTwo, err := byRing(two)
	if err != nil {
		fmt.Println(err)
		return
	}
	ringOfThree, err := byRing(three)
	if err != nil {
		fmt.Println(err)
		return
	}
	modulo := movedKeys(
		func(key string) string { return byModulo(two, key) },
		func(key string) string { return byModulo(three, key) })
	ring := movedKeys(ringOfTwo, ringOfThree)
	fmt.Printf("modulo moves %d of %d keys, the ring %d\n", modulo, keys, ring)
	// Output: modulo moves 6668 of 10000 keys, the ring 3380
}

func ExampleRing() {
	ring, err := hashring.New([]hashring.Member{
		{ID: "n1", Weight: 1},
		{ID: "n2", Weight: 1},
		{ID: "n3", Weight: 1},
		{ID: "n4", Weight: 1},
	}, 3)
	if err != nil {
		fmt.Println(err)
		return
	}
	slot := hashring.SlotOf("mykey1")
	fmt.Println(slot, ring.Owners(slot))
	// Output: 497 [n3 n2 n4]
}

// TestModuloMovesMostKeysAndTheRingFew counts them for clusters of several sizes that one node joins: of N+1 nodes, modulo
// moves N of N+1 keys, the ring one of N+1.
func TestModuloMovesMostKeysAndTheRingFew(t *testing.T) {
	for _, n := range []int{1, 2, 3, 5, 9, 20} {
		var nodes []string
		for i := range n + 1 {
			nodes = append(nodes, fmt.Sprintf("http://localhost:%d", 5000+i))
		}
		before, err := byRing(nodes[:n])
		if err != nil {
			t.Fatal(err)
		}
		after, err := byRing(nodes)
		if err != nil {
			t.Fatal(err)
		}
		ring := float64(movedKeys(before, after)) / keys
		modulo := float64(movedKeys(
			func(key string) string { return byModulo(nodes[:n], key) },
			func(key string) string { return byModulo(nodes, key) })) / keys

		fair := 1 / float64(n+1)
		if modulo < 0.95*(1-fair) || modulo > 1.05*(1-fair) {
			t.Errorf("a node joins %d: modulo moves %.3f of the keys, want about %.3f", n, modulo, 1-fair)
		}
		if ring < 0.7*fair || ring > 1.3*fair {
			t.Errorf("a node joins %d: the ring moves %.3f of the keys, want about %.3f", n, ring, fair)
		}
	}
}

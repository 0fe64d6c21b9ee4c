// Package bench measures the ring beside others that are used for the same. It is a module of its own, so that ringkv
// doesn't depend on them. Run it with: go test -bench . -benchmem
package bench

import (
	"strconv"
	"testing"

	"github.com/cespare/xxhash/v2"
	"github.com/dgryski/go-rendezvous"
	"github.com/golang/groupcache/consistenthash"
	serialx "github.com/serialx/hashring"

	"ringkv/hashring"
)

// An owners function returns the nodes that hold key. Its result is valid until the next call.
type owners func(key string) []string

// A peer is a way to find the owners of keys, and how many of them it can find.
type peer struct {
	name   string
	copies int
	build  func(tb testing.TB, ids []string) owners
}

var peers = []peer{
	{"ringkv", 3, ringkv(3)},
	{"ringkv", 1, ringkv(1)},
	{"serialx", 3, func(tb testing.TB, ids []string) owners {
		ring := serialx.New(ids)
		return func(key string) []string {
			nodes, ok := ring.GetNodes(key, 3)
			if !ok {
				tb.Fatalf("serialx has no nodes for %s", key)
			}
			return nodes
		}
	}},
	{"serialx", 1, func(tb testing.TB, ids []string) owners {
		ring := serialx.New(ids)
		one := make([]string, 1)
		return func(key string) []string {
			node, ok := ring.GetNode(key)
			if !ok {
				tb.Fatalf("serialx has no node for %s", key)
			}
			one[0] = node
			return one
		}
	}},
	{"groupcache", 1, func(_ testing.TB, ids []string) owners {
		ring := consistenthash.New(50, nil) // 50 points a node and CRC-32: what groupcache's own HTTP pool takes
		ring.Add(ids...)
		one := make([]string, 1)
		return func(key string) []string {
			one[0] = ring.Get(key)
			return one
		}
	}},
	{"rendezvous", 1, func(_ testing.TB, ids []string) owners {
		ring := rendezvous.New(ids, xxhash.Sum64String)
		one := make([]string, 1)
		return func(key string) []string {
			one[0] = ring.Lookup(key)
			return one
		}
	}},
}

// ringkv returns the ring of this project with that many copies.
func ringkv(copies int) func(testing.TB, []string) owners {
	return func(tb testing.TB, ids []string) owners {
		members := make([]hashring.Member, len(ids))
		for i, id := range ids {
			members[i] = hashring.Member{ID: id, Weight: 1}
		}
		ring, err := hashring.New(members, copies)
		if err != nil {
			tb.Fatal(err)
		}
		return func(key string) []string { return ring.Owners(hashring.SlotOf(key)) }
	}
}

// ids returns n node ids, other ones for each trial.
func ids(trial, n int) []string {
	out := make([]string, n)
	for i := range out {
		out[i] = "node-" + strconv.FormatUint(xxhash.Sum64String(strconv.Itoa(trial*10_000+i))>>32, 16)
	}
	return out
}

// keys returns n keys.
func keys(n int) []string {
	out := make([]string, n)
	for i := range out {
		out[i] = "user:" + strconv.Itoa(10_000_000+i)
	}
	return out
}

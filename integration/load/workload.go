package load

import (
	"fmt"
	"math/rand/v2"
	"strings"

	"ringkv/integration/oracle"
)

// A Step is what a client does next.
type Step struct {
	Kind oracle.Kind
	Key  string
}

// A Workload decides what the i-th operation of a client is.
type Workload func(client, i int, rng *rand.Rand) Step

// The size of a load: enough to be in the middle of something whenever a fault comes, and not so much that
// two cores are kept busy by it alone.
const (
	Clients    = 8
	Rate       = 500 // operations a second, of all clients
	validAcked = 500 // operations acknowledged before the first fault, below which a run tells nothing
	valueSize  = 200 // bytes
	sharedKeys = 8
)

// Steady writes keys that are written once, and reads and writes a few that all clients share, of which one half is
// deleted now and then.
func Steady(client, i int, rng *rand.Rand) Step {
	shared := rng.IntN(sharedKeys)
	switch i % 4 {
	case 0:
		return Step{oracle.Put, fmt.Sprintf("once/%d/%d", client, i)}
	case 1:
		if shared%2 == 0 && rng.IntN(4) == 0 {
			return Step{oracle.Delete, fmt.Sprintf("shared/%d", shared)}
		}
		return Step{oracle.Put, fmt.Sprintf("shared/%d", shared)}
	default:
		return Step{oracle.Get, fmt.Sprintf("shared/%d", shared)}
	}
}

// Churning is Steady with more that is written over, so that a store has garbage to collect, and with few reads.
func Churning(client, i int, rng *rand.Rand) Step {
	if i%4 == 3 {
		return Step{oracle.Put, fmt.Sprintf("shared/%d", rng.IntN(sharedKeys))}
	}
	return Steady(client, i, rng)
}

// Contended has all clients at one key after the other, for a history that can be searched: no key has more operations
// than oracle.CheckLinear takes.
func Contended(_, i int, rng *rand.Rand) Step {
	const each = oracle.MaxLinearOps / Clients
	return Step{oracle.Kind(rng.IntN(3)), contendedPrefix + fmt.Sprint(i/each)}
}

// Mixed is Steady and Contended by turns.
func Mixed(client, i int, rng *rand.Rand) Step {
	if i%2 == 0 {
		return Steady(client, i/2, rng)
	}
	return Contended(client, i/2, rng)
}

// OfContended returns the operations on the keys of Contended: those that oracle.CheckLinear takes.
func OfContended(ops []oracle.Op) (some []oracle.Op) {
	for _, op := range ops {
		if strings.Contains(op.Key, "/"+contendedPrefix) {
			some = append(some, op)
		}
	}
	return some
}

const contendedPrefix = "contended/"

package load

import (
	"fmt"
	"math/rand/v2"

	"ringkv/integration/oracle"
)

// Changing writes keys that are written once, and has all clients at one key after the other, with deletes and writes that are
// conditional on what the client saw last. No key has more operations than oracle.CheckLinear takes.
func Changing(client, i int, rng *rand.Rand) Step {
	if i%4 == 0 {
		return Step{oracle.Put, fmt.Sprintf("once/%d/%d", client, i)}
	}
	const each = oracle.MaxLinearOps / Clients
	kinds := []oracle.Kind{oracle.Put, oracle.Get, oracle.Get, oracle.Delete, oracle.Cas, oracle.Cas}
	return Step{kinds[rng.IntN(len(kinds))], fmt.Sprintf("changing/%d", (i-i/4)/each)}
}

package oracle

import (
	"fmt"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/anishathalye/porcupine"
)

// What the quick search explains, the exhaustive one must: an order is an order. And it should explain nearly all that is right.
func TestWhatIsExplainedIsLinearizable(t *testing.T) {
	var right, found, wrong int
	for seed := range uint64(20_000) {
		rng := rand.New(rand.NewPCG(seed, 2))
		ops := randomHistory(rng, true)
		for i := range ops {
			if ops[i].Kind == Put && rng.IntN(3) == 0 {
				ops[i].Kind, ops[i].Wanted, ops[i].Absent = Cas, "a", rng.IntN(2) == 0
				ops[i].Found = rng.IntN(3) > 0 && ops[i].Outcome == OK
			}
			if ops[i].Kind != Get && rng.IntN(2) == 0 {
				ops[i].Version = fmt.Sprintf("%03d", ops[i].Call+rng.Int64N(20))
			}
		}
		events, err := porcupineOps(ops)
		if err != nil {
			t.Fatal(err)
		}
		legal := porcupine.CheckOperationsTimeout(register(), events, time.Minute) == porcupine.Ok
		quick := explained(ops)
		switch {
		case quick && !legal:
			t.Fatalf("seed %d is explained, and isn't linearizable:%s", seed, listing(ops))
		case quick:
			found++
		case !legal:
			wrong++
		}
		if legal {
			right++
		}
	}
	t.Logf("%d of %d that are right were explained, %d are wrong", found, right, wrong)
	if found < right*9/10 || right < 1000 || wrong < 1000 {
		t.Errorf("%d of %d that are right were explained, and %d are wrong: want nearly all, and enough of both", found, right, wrong)
	}
}

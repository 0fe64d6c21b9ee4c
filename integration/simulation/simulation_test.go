package simulation

import (
	"context"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"

	"ringkv/node/wire"
)

var (
	oneSeed = flag.Uint64("seed", 0, "run only this `seed`, and print its trace")
	seeds   = flag.Uint64("seeds", manySeeds, "how `many` seeds to run")
	from    = flag.Uint64("from", 1, "the first `seed`")
	worker  = flag.Uint64("worker", 0, "run every so-many-th seed in this process, whose environment is as it should be")
	digest  = flag.Bool("digest", false, "print a digest of each trace")
)

// TestSimulation runs seeds, each in a world of its own. The runs are spread over processes that have one processor each,
// since Go decides in an order of its own what goes on first where there are several.
func TestSimulation(t *testing.T) {
	first, last := *from, *from+*seeds-1
	if *oneSeed != 0 {
		first, last = *oneSeed, *oneSeed
	}
	if *worker != 0 {
		runSeeds(t, first, last, *worker)
		return
	}
	processes := min(uint64(runtime.NumCPU()), last-first+1)
	ctx, stop := context.WithCancel(t.Context())
	defer stop()
	var running sync.WaitGroup
	for i := range processes {
		running.Go(func() {
			out, err := runWorker(ctx, first+i, last, processes)
			if ctx.Err() != nil { // one failure is enough
				return
			}
			t.Logf("%s", out)
			if err != nil {
				stop()
				t.Errorf("a run failed: %v", err)
			}
		})
	}
	running.Wait()
}

// runWorker runs every step-th seed from first on in another process, and returns what it says.
func runWorker(ctx context.Context, first, last, step uint64, more ...string) (string, error) {
	args := []string{"-test.run=^TestSimulation$", "-test.timeout=0", "-test.v=true", fmt.Sprint("-worker=", step), fmt.Sprint("-from=", first), fmt.Sprint("-seeds=", last-first+1), fmt.Sprint("-seed=", *oneSeed)}
	cmd := exec.CommandContext(ctx, os.Args[0], append(args, more...)...)
	cmd.Env = append(os.Environ(), "GOMAXPROCS=1", "GODEBUG=asyncpreemptoff=1")
	out, err := cmd.CombinedOutput()
	return string(out), err
}

// patience is how long a run may take in real time, without its judgement. Beyond that, something stands still that fake time can't move.
const patience = 5 * time.Minute

// runSeeds runs seeds one after the other, and stops at the first that fails.
func runSeeds(t *testing.T, first, last, step uint64) {
	began := time.Now()
	var all effort
	for s := first; s <= last; s += step {
		w := simulate(t, s)
		all.add(w)
		if *digest {
			fmt.Printf("digest %d %x\n", s, w.trace.sum())
		}
		failed := len(w.failures) > 0
		if failed || *oneSeed != 0 {
			t.Logf("trace of seed %d:\n%v", s, w.trace)
		}
		if failed {
			t.Fatalf("seed %d (repeat with %s):\n%s", s, command(s), strings.Join(w.failures, "\n"))
		}
	}
	t.Logf("%v, in %v", &all, time.Since(began).Round(time.Second))
	if all.runs > 10 && all.acked < 100*all.runs {
		t.Fatal("so few operations were acknowledged that it shows nothing")
	}
	if all.runs > 10 && min(all.fast, all.careful, all.anew, all.never) == 0 {
		t.Fatal("a way to write was never gone, so that nothing is shown of it")
	}
}

func command(seed uint64) string {
	return fmt.Sprintf("go test ./integration/simulation -run '^TestSimulation$' -seed %d -v", seed)
}

// An effort is how much a number of runs did.
type effort struct {
	runs, acked, placements, unknown, failed int
	fast, careful, anew                      int // writes, as package coordinator counts them
	never, accepted                          int // refusals that say so
}

func (e *effort) add(w *world) {
	e.runs++
	e.placements += w.written
	ok, unknown, failed := w.outcomes()
	e.acked, e.unknown, e.failed = e.acked+ok, e.unknown+unknown, e.failed+failed
	e.fast += w.counted("fast_writes")
	e.careful += w.counted("careful_writes")
	e.anew += w.counted("second_attempts")
	e.never, e.accepted = e.never+w.net.had[wire.HadNever], e.accepted+w.net.had[wire.HadAccepted]
}

// counted returns what the coordinators of a run have counted under that name.
func (w *world) counted(name string) (n int) {
	families, err := w.registry.Gather()
	if err != nil {
		w.fail("metrics can't be gathered: %v", err)
	}
	for _, f := range families {
		if f.GetName() == "ringkv_coordinator_"+name+"_total" {
			n = int(f.GetMetric()[0].GetCounter().GetValue())
		}
	}
	return n
}

func (e *effort) String() string {
	return fmt.Sprintf("%d runs, %d placements, %d operations acknowledged, %d unknown, %d failed; %d fast writes, %d careful ones, %d second attempts; %d refusals say never, %d accepted",
		e.runs, e.placements, e.acked, e.unknown, e.failed, e.fast, e.careful, e.anew, e.never, e.accepted)
}

// TestRepeats runs each of some seeds again and again until it has made the same trace twice: what can't be repeated can't be
// understood. It may take more than two runs, and for a few seeds many, since Go takes the processor from a goroutine that has had it for ten milliseconds of
// real time, and lets chance decide where a select could go two ways. On a machine with much else to do most runs are disturbed like that, so that time is what
// bounds them. If anything else in a run were left to chance, no two of thousands of lines would be the same.
func TestRepeats(t *testing.T) {
	if racing {
		t.Skip("the race detector changes the order of things from run to run")
	}
	const seeds, most, tries = 16, 4, 20
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Minute)
	defer cancel()
	seen := map[string]bool{}
	repeated := map[uint64]bool{}
	for i := uint64(0); len(repeated) < most && ctx.Err() == nil; i++ {
		if seed := 1 + i%seeds; !repeated[seed] && repeats(ctx, t, seed, tries, seen) {
			repeated[seed] = true
		}
	}
	if len(repeated) < most {
		t.Errorf("of %d seeds, only %d have made the same trace twice; there were %d different ones", seeds, len(repeated), len(seen))
	}
}

// repeats reports whether one of so many runs of a seed has made the trace of an earlier one. Those are in seen, and these are added.
func repeats(ctx context.Context, t *testing.T, seed uint64, tries int, seen map[string]bool) bool {
	t.Helper()
	for range tries {
		out, err := runWorker(ctx, seed, seed, 1, "-digest")
		if ctx.Err() != nil {
			return false
		}
		if err != nil {
			t.Fatalf("%v\n%s", err, out)
		}
		for line := range strings.Lines(out) { // each names its seed
			if !strings.HasPrefix(line, "digest ") {
				continue
			}
			if seen[line] {
				return true
			}
			seen[line] = true
		}
	}
	return false
}

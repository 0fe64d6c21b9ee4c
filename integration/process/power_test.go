//go:build integration && linux

package process

import (
	"fmt"
	"math/rand/v2"
	"path/filepath"
	"syscall"
	"testing"
	"time"

	"ringkv/integration/load"
)

// One node with the only copy, on a real ext4 whose power is cut in the middle of writing, rotating, compacting and recovering. What
// was acknowledged has come back from fsync, and must be there.
func TestPowerCutsLoseNothing(t *testing.T) {
	rng := newRandom(t)
	disk := NewDisk(t)
	s := NewSolo(t, filepath.Join(disk.dir, "data"))
	disk.Mount(t, 5)
	s.Start(t)
	s.WaitServing(t)
	l := s.StartLoad(t, load.Churning)
	l.Hurry(4 * load.Rate)
	began := time.Now()
	for range *cuts {
		l.Fault("cut the power")
		// The signal first: an fsync that is under way when a file system is shut down may return as if all were well, and a machine
		// without power acknowledges nothing. What is in the kernel goes on, and never comes back from there.
		if err := s.signal(syscall.SIGKILL); err != nil {
			t.Fatal(err)
		}
		disk.CutPower(t)
		s.Kill(t)
		disk.Unmount(t)
		disk.Mount(t, []int{1, 5, 1000}[rng.IntN(3)])
		s.Start(t)
		if rng.IntN(4) == 0 {
			moment(rng) // in the middle of its start
			continue
		}
		s.WaitServing(t)
		l.Continue(t, 1+rng.IntN(load.Rate))
	}
	s.WaitServing(t)
	l.Continue(t, 1)
	t.Logf("%v a cut", time.Since(began)/time.Duration(*cuts))
	judge(t, l, whateverFails, fmt.Sprintf("%d power cuts", *cuts))
}

// moment lasts up to 30 ms: for what happens at any time, not for what has to be waited for.
func moment(rng *rand.Rand) { time.Sleep(time.Duration(rng.IntN(30)) * time.Millisecond) }

package jsonstore

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"strings"
	"syscall"
	"testing"

	"ringkv/node/store"
	"ringkv/node/store/disk/faulty"
)

func faultScript() []step {
	steps := script(rand.New(rand.NewPCG(3, 3)), 50)
	steps[20].do, steps[30].do, steps[40].do = "compact", "reopen", "check"
	return steps
}

// TestRecoversFromAFullDisk lets the n-th write or creation fail, for every n, at once or after some bytes, one time or for as long as the disk is
// full: what Apply refused must not be there, what it acknowledged must, reads go on, and writing goes on once there is room.
func TestRecoversFromAFullDisk(t *testing.T) {
	for _, lasting := range []int{1, 5} {
		for n := 1; ; n++ {
			fault := &nth{n: n, times: lasting, kinds: "write create", err: syscall.ENOSPC, part: []int{0, 7, 1 << 20}[n%3]}
			if !runWithRefusals(t, fault) {
				t.Logf("%d places, %d times each", n-1, lasting)
				break
			}
		}
	}
}

// TestSurvivesOpenFilesRunningOut and a disk that was made read-only, one time each, at every call.
func TestSurvivesRefusedCalls(t *testing.T) {
	for _, c := range []struct {
		kinds string
		err   error
	}{{"create open", syscall.EMFILE}, {"write create rename remove truncate", syscall.EROFS}, {"rename remove", syscall.EIO}} {
		for n := 1; runWithRefusals(t, &nth{n: n, times: 1, kinds: c.kinds, err: c.err}); n++ {
		}
	}
}

// An nth is a fault that begins at the n-th call of some kinds.
type nth struct {
	n, times int
	kinds    string
	err      error
	part     int // bytes of a write that pass
	seen     int
}

func (f *nth) before(op faulty.Op) error {
	if !strings.Contains(f.kinds, op.Kind) {
		return nil
	}
	f.seen++
	if f.seen < f.n || f.seen >= f.n+f.times {
		return nil
	}
	return &faulty.Short{N: f.part, Err: fmt.Errorf("%s %s: %w", op.Kind, op.Name, f.err)}
}

// runWithRefusals runs the script, trying again what was refused, and reports whether the fault came to pass.
func runWithRefusals(t *testing.T, fault *nth) bool {
	t.Helper()
	d := faulty.New()
	r := newRunner(d, small())
	d.Before(fault.before)
	why := fmt.Sprintf("%v from call %d of %q on, %d times", fault.err, fault.n, fault.kinds, fault.times)
	for i, s := range faultScript() {
		for tries := 0; ; tries++ {
			err := r.do(s)
			if err == nil {
				break
			}
			if !errors.Is(err, fault.err) || errors.Is(err, store.ErrFailed) && fault.err == syscall.ENOSPC || tries > 8 {
				t.Fatalf("%s: step %d %q: %v", why, i, s.do, err)
			}
			if errors.Is(err, store.ErrFailed) { // a failed write could not be taken back
				if err := r.store.Close(); err != nil && !errors.Is(err, store.ErrFailed) {
					t.Fatalf("%s: Close: %v", why, err)
				}
				r.store = nil
			}
			if s.do == "" && !errors.Is(err, store.ErrFull) && !errors.Is(err, store.ErrFailed) && r.store != nil {
				t.Fatalf("%s: Apply: %v, want %v", why, err, store.ErrFull)
			}
			if r.store != nil {
				wantOneOf(t, r.store, []content{r.acked}, why+", after the refusal")
			}
			if errors.Is(err, store.ErrFull) {
				verify(t, d.Clone(), r.options, []content{r.acked}, why+", and a kill")
			}
		}
	}
	verify(t, d.Clone(), r.options, []content{r.acked}, why)
	return fault.seen >= fault.n
}

// TestNeverTrustsAFailedSync lets the n-th sync of a file or of the directory fail, for every n, one time or for ever. Nothing may be
// acknowledged afterwards, no file be synced again that failed once, and what was acknowledged must survive a power cut.
func TestNeverTrustsAFailedSync(t *testing.T) {
	rng := rand.New(rand.NewPCG(4, 4))
	for _, times := range []int{1, 1 << 30} {
		for n := 1; ; n++ {
			if !failSync(t, rng, &nth{n: n, times: times, kinds: "sync syncdir", err: syscall.EIO}) {
				t.Logf("%d places, %d times each", n-1, times)
				break
			}
		}
	}
}

func failSync(t *testing.T, rng *rand.Rand, fault *nth) bool {
	t.Helper()
	d := faulty.New()
	r := newRunner(d, small())
	why := fmt.Sprintf("sync %d fails %d times", fault.n, fault.times)
	failed := ""
	d.Before(func(op faulty.Op) error {
		if op.Kind == "sync" && op.Name == failed {
			t.Fatalf("%s: %s was synced again", why, op.Name)
		}
		err := fault.before(op)
		if err != nil && op.Kind == "sync" {
			failed = op.Name
		}
		return err
	})
	for i, s := range faultScript() {
		flying := s.batch
		err := r.do(s)
		if err == nil {
			continue
		}
		if r.store == nil { // it didn't open, or was closed
			break
		}
		if !errors.Is(err, store.ErrFailed) || !errors.Is(err, syscall.EIO) || r.store.Failed() == nil {
			t.Fatalf("%s: step %d %q: %v, want %v", why, i, s.do, err, store.ErrFailed)
		}
		if err := r.store.Apply(faultScript()[0].batch); !errors.Is(err, store.ErrFailed) {
			t.Fatalf("%s: Apply afterwards: %v, want %v", why, err, store.ErrFailed)
		}
		if err := r.store.Check(context.Background()); !errors.Is(err, store.ErrFailed) {
			t.Fatalf("%s: Check afterwards: %v, want %v", why, err, store.ErrFailed)
		}
		wantOneOf(t, r.store, []content{r.acked}, why+", reading afterwards")
		possible := []content{r.acked, r.acked.with(flying)}
		verify(t, d.PowerCut(faulty.KeepTorn, rng), r.options, possible, why+", then a power cut")
		restartAfterFailure(t, d, r.options, possible, rng, why)
		break
	}
	return fault.seen >= fault.n
}

// restartAfterFailure starts again with the kernel's cache intact, which shows bytes that are not on the disk and that no sync will bring there: what
// the store then holds must be durable.
func restartAfterFailure(t *testing.T, d *faulty.Disk, o Options, possible []content, rng *rand.Rand, why string) {
	t.Helper()
	c := d.Clone()
	s, err := Open(c, o)
	if err != nil {
		t.Fatalf("%s: Open: %v", why, err)
	}
	held := wantOneOf(t, s, possible, why+", then a restart")
	verify(t, c.PowerCut(faulty.KeepNone, rng), o, []content{held}, why+", then a restart and a power cut")
	if err := s.segments.close(); err != nil {
		t.Fatal(err)
	}
}

// TestReportsReadErrors lets each read fail or fall short. The answer is an error, never none and never another value.
func TestReportsReadErrors(t *testing.T) {
	d, r, _ := filled(t, false)
	for _, part := range []int{0, 3} {
		for n := 1; ; n++ {
			c := d.Clone()
			fault := &nth{n: n, times: 1, kinds: "read", err: syscall.EIO, part: part}
			c.Before(fault.before)
			s, err := Open(c, r.options)
			if err != nil {
				if !errors.Is(err, syscall.EIO) {
					t.Fatalf("read %d fails: Open: %v", n, err)
				}
				continue
			}
			for key, want := range r.acked.records {
				got, ok, err := s.Get(key)
				if err != nil && !errors.Is(err, syscall.EIO) || err == nil && (!ok || !sameRecord(got, want)) {
					t.Fatalf("read %d fails: Get(%q) = %v, %v, %v, want %v or %v", n, key, got, ok, err, want, syscall.EIO)
				}
			}
			if err := s.segments.close(); err != nil {
				t.Fatal(err)
			}
			if fault.seen < n {
				break
			}
		}
	}
}

// TestReadsGoOnWhileTheDiskHangs holds one sync. Reads are served, Check says so in time, and the write is acknowledged when the
// disk has answered.
func TestReadsGoOnWhileTheDiskHangs(t *testing.T) {
	d := faulty.New()
	r := newRunner(d, small())
	for i := range 10 {
		if err := r.do(step{batch: putsFor(i, 2)}); err != nil {
			t.Fatal(err)
		}
	}
	last := putsFor(10, 2)
	hung, release := make(chan struct{}, 8), make(chan struct{})
	d.Before(func(op faulty.Op) error {
		if op.Kind == "sync" {
			hung <- struct{}{}
			<-release
		}
		return nil
	})
	applied := make(chan error, 1)
	go func() { applied <- r.store.Apply(last) }()
	<-hung
	wantOneOf(t, r.store, []content{r.acked}, "while a sync hangs")
	ctx, cancel := context.WithCancel(context.Background())
	checked := make(chan error, 1)
	go func() { checked <- r.store.Check(ctx) }()
	<-hung
	cancel()
	if err := <-checked; !errors.Is(err, context.Canceled) {
		t.Errorf("Check while the disk hangs: %v, want %v", err, context.Canceled)
	}
	if err := r.store.Check(context.Background()); !errors.Is(err, errBusy) {
		t.Errorf("Check while another is with the disk: %v, want %v", err, errBusy)
	}
	close(release)
	if err := <-applied; err != nil {
		t.Errorf("Apply: %v", err)
	}
	wantOneOf(t, r.store, []content{r.acked.with(last)}, "after the disk answered")
	if err := r.store.Close(); err != nil {
		t.Error(err)
	}
}

// TestASyncOfACheckThatFailsLateCounts lets a Check give up on a sync that fails only then: the store has failed, and that file isn't synced again.
func TestASyncOfACheckThatFailsLateCounts(t *testing.T) {
	d := faulty.New()
	s, err := Open(d, small())
	if err != nil {
		t.Fatal(err)
	}
	hung, release := make(chan struct{}), make(chan struct{})
	syncs := 0
	d.Before(func(op faulty.Op) error {
		if op.Kind != "sync" || op.Name != probeName {
			return nil
		}
		if syncs++; syncs > 1 {
			t.Errorf("%s was synced again", op.Name)
			return nil
		}
		hung <- struct{}{}
		<-release
		return syscall.EIO
	})
	ctx, cancel := context.WithCancel(t.Context())
	checked := make(chan error, 1)
	go func() { checked <- s.Check(ctx) }()
	<-hung
	cancel()
	if err := <-checked; !errors.Is(err, context.Canceled) {
		t.Errorf("Check while the disk hangs: %v, want %v", err, context.Canceled)
	}
	close(release)
	s.probe.calls.Wait()
	if err := s.Check(t.Context()); !errors.Is(err, store.ErrFailed) || !errors.Is(err, syscall.EIO) {
		t.Errorf("Check after the late failure: %v, want %v", err, store.ErrFailed)
	}
	if err := s.Close(); err != nil {
		t.Error(err)
	}
}

//go:build integration && linux

package process

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"ringkv/integration/load"
	"ringkv/integration/oracle"
)

// What a disk does wrong is the kernel's answer to a system call. One node with the only copy gets each of these, and may
// refuse what it likes, but never acknowledge what it hasn't got, nor deny what it has.
func TestABrokenDiskIsNoExcuseToLie(t *testing.T) {
	s := NewSolo(t, t.TempDir())
	s.Start(t)
	s.WaitServing(t)
	l := s.StartLoad(t, load.Churning)
	faults := []string{
		"fsync:error=EIO", "fsync:error=EIO:when=1", "fsync:error=EIO:when=3+5", "fsync:delay_enter=200000",
		"pwrite64:error=EIO", "pwrite64:error=ENOSPC:when=1+3", "pwrite64:error=EROFS",
		"pread64:error=EIO", "pread64:retval=0:when=1+2", "pread64:error=EIO:when=1+3",
		"openat:error=EMFILE", "renameat,renameat2:error=EIO", "unlinkat:error=EACCES", "ftruncate:error=EIO",
	}
	for range (*rounds + 2) / 3 {
		for _, what := range faults {
			l.Fault("%s", what)
			stop := inject(t, s.process, what)
			l.Pass(t, 50) // a write that is refused is tried again for 2 s
			stop()
			s.Kill(t)
			s.Start(t)
			s.WaitServing(t)
			l.Continue(t, 50)
		}
	}
	judge(t, l, whateverFails, fmt.Sprintf("%d faults of a disk", len(faults)*((*rounds+2)/3)))
}

// After an fsync that failed nobody knows what is on the disk, and the next one that works tells nothing either: no write is taken
// until the process starts anew.
func TestAFailedFsyncIsFinal(t *testing.T) {
	s := NewSolo(t, t.TempDir())
	s.Start(t)
	s.WaitServing(t)
	l := s.StartLoad(t, load.Steady)
	f := l.Fault("every fsync fails")
	stop := inject(t, s.process, "fsync:error=EIO")
	load.Eventually(t, patience, "a write fails", func() error { return failed(l, f, oracle.Put) })
	// It may only have waited for too long while strace came. The log says whether an fsync has failed.
	load.Eventually(t, patience, "the store says that it has failed", func() error { return saidFailed(s.process) })
	stop()
	after := l.History.Now()
	l.Pass(t, 10*load.Rate) // a node that took its disk for well again would have done so at its next check, 2 s later, and then be asked again
	for _, op := range l.History.Ops() {
		if op.Call > after && op.Kind != oracle.Get && op.Outcome == oracle.OK {
			t.Fatalf("a write was acknowledged after an fsync had failed: %v", op)
		}
	}
	load.Eventually(t, patience, "the health check fails", func() error {
		if r := s.client.Do(t.Context(), "GET", s.addr, "/health-check", nil); r.Status != 503 {
			return fmt.Errorf("/health-check: %v", r)
		}
		return nil
	})
	s.Kill(t)
	s.Start(t)
	s.WaitServing(t)
	l.Continue(t, load.Rate/2)
	judge(t, l, whateverFails, "an fsync failed")
}

// saidFailed returns nil once the log of a node says that its store takes no writes any more.
func saidFailed(p *process) error {
	if log := p.tail(64 << 10); !strings.Contains(log, "the store has failed") {
		return errors.New("the log doesn't say so")
	}
	return nil
}

// failed returns nil if an operation of a kind has ended without being acknowledged since a fault.
func failed(l *load.Load, since oracle.Fault, kind oracle.Kind) error {
	for _, op := range l.History.Ops() {
		if op.Call > since.At && op.Kind == kind && op.Return != oracle.Never && op.Outcome != oracle.OK {
			return nil
		}
	}
	return errors.New("all that ended was acknowledged")
}

// reads counts the gets since a fault that have ended: those that were answered and the others. A machine that stands still for two seconds costs one.
func reads(l *load.Load, since oracle.Fault) (got, missed int) {
	for _, op := range l.History.Ops() {
		switch {
		case op.Call <= since.At || op.Kind != oracle.Get || op.Return == oracle.Never:
		case op.Outcome == oracle.OK:
			got++
		default:
			missed++
		}
	}
	return got, missed
}

// One node of three has a disk on which fsync fails, or takes for ever: it leaves the ring by itself, and nobody waits for it.
func TestTheOthersServeWhileADiskIsBroken(t *testing.T) {
	c := NewCluster(t, Options{})
	for _, what := range []string{"fsync:error=EIO", "fsync:delay_enter=10000000"} {
		t.Run(what, func(t *testing.T) {
			l := c.StartLoad(t, load.Steady)
			l.Fault("%s at n2", what)
			stop := inject(t, c.process(t, "n2"), what)
			c.WaitRing(t, "n1", "n3")
			l.Continue(t, load.Rate)
			c.KillNode(t, "n2")
			stop()
			c.StartNode(t, "n2")
			c.WaitWhole(t)
			l.Continue(t, load.Rate/2)
			judge(t, l, oneInTrouble, what)
		})
	}
	t.Run("fsync takes 200 ms", func(t *testing.T) {
		l := c.StartLoad(t, load.Steady)
		l.Fault("slow fsync at n2")
		stop := inject(t, c.process(t, "n2"), "fsync:delay_enter=200000")
		l.Continue(t, 2*load.Rate)
		stop()
		c.WaitWhole(t)
		judge(t, l, oneInTrouble, "a slow disk")
	})
}

// A disk that is full takes no writes and gives what it has; when there is space again it goes on, without a restart.
func TestAFullDiskRecoversWithoutARestart(t *testing.T) {
	dir := MountTmpfs(t, "16m")
	s := NewSolo(t, filepath.Join(dir, "data"))
	s.Start(t)
	s.WaitServing(t)
	l := s.StartLoad(t, load.Churning)
	for i := range (*rounds + 2) / 3 {
		f := l.Fault("fill the disk")
		fill(t, dir)
		load.Eventually(t, patience, "a write fails", func() error { return failed(l, f, oracle.Put) })
		l.Pass(t, 50) // a write that is refused is tried again for 2 s
		if got, missed := reads(l, f); got == 0 || missed*10 >= got+missed {
			t.Errorf("on a full disk %d reads were answered and %d failed, want reads to go on", got, missed)
		}
		command(t, "mount", "-o", fmt.Sprintf("remount,size=%dm", 32<<i), dir)
		l.Continue(t, load.Rate)
	}
	s.Kill(t)
	s.Start(t)
	s.WaitServing(t)
	l.Continue(t, load.Rate/2)
	judge(t, l, whateverFails, "a full disk")
}

// fill leaves no byte of a file system free.
func fill(t testing.TB, dir string) {
	t.Helper()
	f, err := os.OpenFile(filepath.Join(dir, "ballast"), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		t.Fatal(err)
	}
	for err == nil {
		_, err = f.Write(make([]byte, 64<<10))
	}
	if cerr := f.Close(); !errors.Is(err, syscall.ENOSPC) || cerr != nil {
		t.Fatalf("fill %s: %v (%v), want no space left", dir, err, cerr)
	}
}

// One node of three runs full.
func TestTheOthersServeWhileADiskIsFull(t *testing.T) {
	dir := MountTmpfs(t, "16m")
	c := NewCluster(t, Options{Data: func(id string) string {
		if id == "n2" {
			return filepath.Join(dir, id)
		}
		return ""
	}})
	l := c.StartLoad(t, load.Steady)
	l.Fault("fill the disk of n2")
	fill(t, dir)
	l.Continue(t, 4*load.Rate)
	command(t, "mount", "-o", "remount,size=64m", dir)
	c.WaitWhole(t)
	l.Continue(t, load.Rate)
	judge(t, l, oneInTrouble, "a full disk of three")
}

// Clients hold all the descriptors that a node may have.
func TestANodeOutOfDescriptorsRecovers(t *testing.T) {
	c := NewCluster(t, Options{NodeFiles: 64})
	l := c.StartLoad(t, load.Steady)
	l.Fault("take all descriptors of n2")
	idle := c.holdConnections(t, "n2", 100)
	l.Continue(t, 2*load.Rate)
	for _, conn := range idle {
		if err := conn.Close(); err != nil {
			t.Error(err)
		}
	}
	c.WaitWhole(t)
	l.Continue(t, load.Rate/2)
	judge(t, l, oneInTrouble, "no descriptors left")
}

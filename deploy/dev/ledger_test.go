package main

import (
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"
)

func ledgerIn(t *testing.T, data string) *ledger {
	t.Helper()
	l, err := openLedger(data)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := l.close(); err != nil {
			t.Error(err)
		}
	})
	return l
}

func TestTwoRunsNeverShareTheirData(t *testing.T) {
	data := filepath.Join(t.TempDir(), "data")
	ledgerIn(t, data)
	if _, err := openLedger(data); err == nil || !strings.Contains(err.Error(), "another `make run`") {
		t.Errorf("openLedger() = %v, want an error that tells of the other run", err)
	}
}

// orphan starts a process that is waited for in the background, as init does for what a killed run leaves.
func orphan(t *testing.T, path string, args ...string) (pid int, gone <-chan struct{}) {
	t.Helper()
	cmd := exec.Command(path, args...)
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	done := make(chan struct{})
	go func() {
		_ = cmd.Wait() // its end is all that matters
		close(done)
	}()
	t.Cleanup(func() {
		_ = cmd.Process.Kill()
		<-done
	})
	return cmd.Process.Pid, done
}

func TestLeftoversOfAnEarlierRunAreEnded(t *testing.T) {
	l := ledgerIn(t, t.TempDir())
	for _, program := range []string{"obedient", "stubborn"} {
		path := filepath.Join(fakes(t, program), program)
		pid, gone := orphan(t, path, "-addr", "x")
		if err := os.WriteFile(l.path, []byte("junk\n1 /sbin/init\n"+strconv.Itoa(pid)+" "+path+" -addr x\n"), 0o644); err != nil {
			t.Fatal(err)
		}
		awaitCommandLine(t, pid, path+" -addr x")
		if n, err := l.endLeftovers(t.Context(), 200*time.Millisecond); n != 1 || err != nil {
			t.Errorf("endLeftovers() = %d, %v, want 1 for %s", n, err, program)
		}
		<-gone
	}
}

func TestAProcessThatIsNotOursIsLeftAlone(t *testing.T) {
	l := ledgerIn(t, t.TempDir())
	path := filepath.Join(fakes(t, "obedient"), "obedient")
	pid, gone := orphan(t, path, "-addr", "x")
	awaitCommandLine(t, pid, path+" -addr x")
	if err := os.WriteFile(l.path, []byte(strconv.Itoa(pid)+" "+path+" -addr y\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	if n, err := l.endLeftovers(t.Context(), time.Minute); n != 0 || err != nil {
		t.Errorf("endLeftovers() = %d, %v, want 0", n, err)
	}
	select {
	case <-gone:
		t.Error("a process of another command line was ended")
	default:
	}
}

// awaitCommandLine returns when the process has become the program that was started.
func awaitCommandLine(t *testing.T, pid int, want string) {
	t.Helper()
	if !poll(t.Context(), time.Millisecond, func() bool { return commandLine(t.Context(), pid) == want }) {
		t.Fatalf("process %d is %q, want %q", pid, commandLine(t.Context(), pid), want)
	}
}

func TestLedgerListsTheChildren(t *testing.T) {
	g := started(t, &screen{}, []string{"obedient", "obedient"})
	l := ledgerIn(t, t.TempDir())
	for _, tt := range []struct {
		children []*child
		want     int
	}{{g.alive(), 2}, {nil, 0}} {
		if err := l.write(tt.children); err != nil {
			t.Fatal(err)
		}
		content, err := os.ReadFile(l.path)
		if err != nil {
			t.Fatal(err)
		}
		if got := strings.Count(string(content), "obedient\n"); got != tt.want {
			t.Errorf("the file lists %d children, want %d:\n%s", got, tt.want, content)
		}
	}
}

//go:build integration && linux

package process

import (
	"flag"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"syscall"
	"testing"
)

// How long it goes on; `make soak` asks for more.
var (
	kills    = flag.Int("kills", 5, "`rounds` in which one node is killed")
	allKills = flag.Int("allkills", 2, "`rounds` in which all nodes are killed at once")
	hits     = flag.Int("hits", 1, "`times` that a node is killed at each named point")
	cuts     = flag.Int("cuts", 20, "power `cuts`")
	rounds   = flag.Int("rounds", 2, "`rounds` of other faults that are repeated")
	minutes  = flag.Int("minutes", 0, "`minutes` of a random mix of faults, beyond -rounds of it")
	seed     = flag.Uint64("seed", 0, "`seed` of what is random; 0 takes one from the clock")
)

func TestMain(m *testing.M) { os.Exit(run(m)) }

func run(m *testing.M) int {
	flag.Parse()
	if os.Getenv(programsEnv) == "" {
		if err := begin(); err != nil {
			fmt.Fprintln(os.Stderr, err)
			return 2
		}
	}
	status := m.Run()
	if status == 0 {
		fmt.Printf("in all: %s, lost = 0, violations = 0\n", done)
	} else {
		fmt.Println("IN ALL: SOME TESTS FAILED, SEE ABOVE")
	}
	return status
}

// begin builds the programs, where they stay so that what is up to date isn't linked again, and starts this one again, apart from the machine. It returns where that isn't possible, and then the
// tests run on the machine's own network.
func begin() error {
	dir, err := filepath.Abs("../../bin/process")
	if err != nil {
		return err
	}
	for name, args := range map[string][]string{
		"kvnode": {"./node"}, "kvgateway": {"./gateway"}, "kvnode-faults": {"-tags", "faults", "./node"},
	} {
		build := exec.Command("go", append([]string{"build", "-o", filepath.Join(dir, name)}, args...)...)
		build.Dir = "../.."
		if out, err := build.CombinedOutput(); err != nil {
			return fmt.Errorf("build %s: %w: %s", name, err, out)
		}
	}
	if err := os.Setenv(programsEnv, dir); err != nil {
		return err
	}
	if err := standApart(); err != nil {
		fmt.Fprintf(os.Stderr, "THE TESTS WITH CUT LINKS AND REAL FILE SYSTEMS CAN'T RUN: %v\n", err)
	}
	return nil
}

// standApart starts this program again in a network and with mounts of its own, and returns only if that can't be done.
func standApart() error {
	ip, err := exec.LookPath("ip")
	if err != nil {
		return fmt.Errorf("%w: it comes with iproute2", err)
	}
	runtime.LockOSThread() // what follows is of one thread, which becomes the only one
	if err := syscall.Unshare(syscall.CLONE_NEWNET | syscall.CLONE_NEWNS); err != nil {
		return fmt.Errorf("unshare the network and the mounts: %w: it takes root", err)
	}
	if err := syscall.Mount("none", "/", "", syscall.MS_REC|syscall.MS_PRIVATE, ""); err != nil {
		panic(fmt.Errorf("keep mounts from the machine: %w", err))
	}
	if out, err := exec.Command(ip, "link", "set", "lo", "up").CombinedOutput(); err != nil {
		panic(fmt.Errorf("ip link set lo up: %w: %s", err, out))
	}
	if err := os.Setenv(apartEnv, "yes"); err != nil {
		panic(err)
	}
	panic(syscall.Exec("/proc/self/exe", os.Args, os.Environ()))
}

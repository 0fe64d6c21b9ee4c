//go:build integration && linux

package process

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// What the program hands to itself when it starts again.
const (
	programsEnv = "RINGKV_PROGRAMS" // where the programs were built
	apartEnv    = "RINGKV_APART"    // set once it stands apart from the machine
)

// program returns the path of a program that was built for these tests.
func program(name string) string { return filepath.Join(os.Getenv(programsEnv), name) }

// cannot skips a test that this machine doesn't allow, and says so where nobody can miss it.
func cannot(t testing.TB, why string) {
	t.Helper()
	fmt.Fprintf(os.Stderr, "%s DID NOT RUN: %s\n", strings.ToUpper(t.Name()), why)
	t.Skip(why)
}

// needApart skips a test that mounts file systems or sets firewall rules where those would be the machine's own.
func needApart(t testing.TB) {
	t.Helper()
	if os.Getenv(apartEnv) == "" {
		cannot(t, "it needs root, for a network and mounts of its own")
	}
}

// need skips a test that uses a program which isn't installed.
func need(t testing.TB, program, from string) {
	t.Helper()
	if _, err := exec.LookPath(program); err != nil {
		cannot(t, fmt.Sprintf("it needs %s, which comes with %s", program, from))
	}
}

// command runs a program to its end, and fails the test unless that is good.
func command(t testing.TB, name string, args ...string) {
	t.Helper()
	if out, err := exec.Command(name, args...).CombinedOutput(); err != nil {
		t.Fatalf("%s %s: %v: %s", name, strings.Join(args, " "), err, out)
	}
}

package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

func started(t *testing.T, screen *screen, stages ...[]string) *group {
	t.Helper()
	bin := fakes(t, "obedient", "stubborn", "brief")
	g := newGroup(&terminal{w: screen}, 8)
	t.Cleanup(func() { g.stop(fired()) })
	for _, stage := range stages {
		var commands []command
		for _, program := range stage {
			commands = append(commands, command{name: program, path: filepath.Join(bin, program)})
		}
		if err := g.start(commands...); err != nil {
			t.Fatal(err)
		}
	}
	return g
}

func TestStopEndsTheLastStageFirst(t *testing.T) {
	screen := &screen{}
	bin := fakes(t, "obedient")
	g := newGroup(&terminal{w: screen}, 4)
	for _, stage := range [][]string{{"consul"}, {"node 1", "node 2"}, {"gateway"}} {
		var commands []command
		for _, name := range stage {
			commands = append(commands, command{name: name, path: filepath.Join(bin, "obedient")})
		}
		if err := g.start(commands...); err != nil {
			t.Fatal(err)
		}
	}
	for _, name := range []string{"consul", "node 1", "node 2", "gateway"} {
		screen.await(t, (&lines{name: name}).text("started"))
	}
	g.stop(nil)
	if left := g.alive(); len(left) != 0 {
		t.Fatalf("%d children are alive after stop", len(left))
	}
	screen.inOrder(t, "gateway   | stopped", "node 1    | stopped", "consul    | stopped")
	screen.inOrder(t, "gateway   | stopped", "node 2    | stopped", "consul    | stopped")
}

func TestAChildThatDoesNotStopIsKilled(t *testing.T) {
	screen := &screen{}
	g := started(t, screen, []string{"obedient"}, []string{"stubborn"})
	g.patience = 2 * time.Second // which the obedient one has too
	screen.await(t, "deaf")
	screen.await(t, "started")
	g.stop(nil)
	screen.inOrder(t, "stubborn did not stop within 2s: killing it", "obedient  | stopped")
	if reason := g.stages[1][0].reason(); reason != "signal: killed" {
		t.Errorf("reason() = %q, want signal: killed", reason)
	}
}

func TestASecondSignalKillsAtOnce(t *testing.T) {
	screen := &screen{}
	g := started(t, screen, []string{"stubborn"}, []string{"stubborn"})
	g.patience = time.Hour
	hurry := make(chan os.Signal, 1)
	hurry <- os.Interrupt
	g.stop(hurry)
	if left := g.alive(); len(left) != 0 {
		t.Errorf("%d children are alive after stop", len(left))
	}
}

func TestAnExitIsReportedOnceWithItsReasonAndLastLine(t *testing.T) {
	screen := &screen{}
	g := started(t, screen, []string{"brief", "obedient"})
	ch := <-g.exits
	if ch.name != "brief" || ch.reason() != "exit status 3" {
		t.Errorf("%s exited: %s, want brief: exit status 3", ch.name, ch.reason())
	}
	screen.inOrder(t, "brief     | no newline at the end\n")
	if alive := g.alive(); len(alive) != 1 || alive[0].name != "obedient" {
		t.Errorf("alive() = %v, want obedient alone", alive)
	}
}

func TestAProgramThatIsMissingIsNamed(t *testing.T) {
	g := newGroup(&terminal{w: &screen{}}, 1)
	err := g.start(command{name: "node 5000", path: filepath.Join(t.TempDir(), "kvnode")})
	if err == nil || !strings.Contains(err.Error(), "start node 5000") {
		t.Errorf("start() = %v, want an error that names the node", err)
	}
}

//go:build integration && linux

package process

import (
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"ringkv/integration/load"
	"ringkv/node/store/jsonstore"
)

// One node with the only copy dies at each named point of its store, and must find all that it had acknowledged.
func TestKilledAtEachPointLosesNothing(t *testing.T) {
	rng := newRandom(t)
	s := NewSolo(t, t.TempDir())
	s.Start(t)
	s.WaitServing(t)
	l := s.StartLoad(t, load.Churning)
	l.Hurry(4 * load.Rate)
	points := map[string]int{ // and by how many hits it's passed at most before the node dies
		jsonstore.PointAppend: 200, jsonstore.PointWritten: 200, jsonstore.PointSynced: 200, jsonstore.PointSeen: 200,
		jsonstore.PointRotateCreated: 3, jsonstore.PointRotateSealed: 3, jsonstore.PointHintWritten: 3,
		jsonstore.PointCompactCopied: 2, jsonstore.PointCompactNamed: 2, jsonstore.PointCompactSwung: 2, jsonstore.PointCompactDone: 2,
		jsonstore.PointRecoverCut: 1, jsonstore.PointRecoverSwept: 1,
	}
	killed := 0
	for range *hits {
		for _, point := range slices.Sorted(maps.Keys(points)) {
			l.Fault("kill at %s", point)
			s.Kill(t)
			switch point {
			case jsonstore.PointRecoverCut:
				s.tear(t)
			case jsonstore.PointRecoverSwept:
				s.litter(t)
			}
			s.Start(t, killAt(point, 1+rng.IntN(points[point])))
			s.WaitKilled(t)
			s.Start(t)
			s.WaitServing(t)
			l.Continue(t, 50)
			killed++
		}
	}
	judge(t, l, whateverFails, fmt.Sprintf("%d kills at %d named points", killed, len(points)))
}

// tear leaves half a line at the end of the log, as a write that was cut off does.
func (s *Solo) tear(t testing.TB) {
	t.Helper()
	last, err := os.OpenFile(last(t, s.data), os.O_WRONLY|os.O_APPEND, 0)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := last.WriteString(`{"key":"torn","version":"0000`); err != nil {
		t.Fatal(err)
	}
	if err := last.Close(); err != nil {
		t.Fatal(err)
	}
}

// litter leaves the hint of a segment that isn't there, as a crash in the middle of a compaction may.
func (s *Solo) litter(t testing.TB) {
	t.Helper()
	first := files(t, s.data, "segment-*.jsonl")[0]
	name := strings.Replace(filepath.Base(first), "segment-", "hint-", 1)
	name = strings.Replace(name, ".jsonl", ".bin", 1)
	name = "hint-09" + name[len("hint-00"):]
	if err := os.WriteFile(filepath.Join(s.data, name), []byte("half a hint"), 0o600); err != nil {
		t.Fatal(err)
	}
}

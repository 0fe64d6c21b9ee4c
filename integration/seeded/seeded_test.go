//go:build seeded

package seeded

import (
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// A bug is a piece of the source and what stands there in its place.
type bug struct {
	name, file, right, wrong string
}

// tries is how often the tests may run until they notice a bug: some draw what they do.
const tries = 3

// mustBeNoticed puts the bug into a copy of the source, and fails unless these tests fail there. They are arguments of go test.
func (b bug) mustBeNoticed(t *testing.T, tests ...string) {
	t.Helper()
	dir := t.TempDir()
	copySource(t, moduleRoot(t), dir)
	b.plant(t, dir)
	if out, err := command(dir, "build", "./...").CombinedOutput(); err != nil {
		t.Fatalf("the source no longer builds, so this shows nothing: %v\n%s", err, out)
	}
	for range tries {
		args := append([]string{"test", "-failfast", "-count=1"}, tests...)
		if out, err := command(dir, args...).CombinedOutput(); err != nil && strings.Contains(string(out), "--- FAIL") {
			return
		}
	}
	t.Errorf("%d runs of go test %s did not notice it", tries, strings.Join(tests, " "))
}

// command is go in a copy of the source. Without the paths of the copy, what was built for one serves the next.
func command(dir string, args ...string) *exec.Cmd {
	cmd := exec.Command("go", args...)
	cmd.Dir, cmd.Env = dir, append(os.Environ(), "GOFLAGS=-trimpath")
	return cmd
}

func moduleRoot(t *testing.T) string {
	t.Helper()
	out, err := exec.Command("go", "list", "-m", "-f", "{{.Dir}}").Output()
	if err != nil {
		t.Fatal(err)
	}
	return strings.TrimSpace(string(out))
}

// copySource copies the module without what was built or stored in it.
func copySource(t *testing.T, root, dir string) {
	t.Helper()
	err := filepath.WalkDir(root, func(path string, e fs.DirEntry, err error) error {
		if err != nil || path == root {
			return err
		}
		rel, err := filepath.Rel(root, path)
		switch {
		case err != nil:
			return err
		case rel == "bin" || rel == "data" || strings.HasPrefix(e.Name(), "."):
			if e.IsDir() {
				return filepath.SkipDir
			}
			return nil
		case e.IsDir():
			return os.Mkdir(filepath.Join(dir, rel), 0o700)
		case !e.Type().IsRegular():
			return nil
		}
		data, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		return os.WriteFile(filepath.Join(dir, rel), data, 0o600)
	})
	if err != nil {
		t.Fatal(err)
	}
}

func (b bug) plant(t *testing.T, dir string) {
	t.Helper()
	path := filepath.Join(dir, filepath.FromSlash(b.file))
	source, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if n := strings.Count(string(source), b.right); n == 0 {
		t.Fatalf("%s has no %q: the source has changed, so must this bug", b.file, b.right)
	}
	if err := os.WriteFile(path, []byte(strings.Replace(string(source), b.right, b.wrong, 1)), 0o600); err != nil {
		t.Fatal(err)
	}
}

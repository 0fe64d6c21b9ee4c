package seeded

import (
	"flag"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

var planted = flag.Bool("planted", false, "put each bug into a copy of the source, and run the tests there; otherwise it is only looked whether the source still says what the bug is to change")

// A bug is a piece of the source and what stands there in its place.
type bug struct {
	name, file, right, wrong string
}

// tries is how often the tests may run until they notice a bug: some draw what they do.
const tries = 3

// mustBeNoticed puts the bug into a copy of the source, and fails unless these tests fail there. They are arguments of go test.
func (b bug) mustBeNoticed(t *testing.T, tests ...string) {
	t.Helper()
	root := moduleRoot(t)
	if !*planted {
		b.changed(t, root)
		return
	}
	dir := t.TempDir()
	copySource(t, root, dir)
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
	root, err := filepath.Abs("../..")
	if err != nil {
		t.Fatal(err)
	}
	return root
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

func (b bug) path(dir string) string { return filepath.Join(dir, filepath.FromSlash(b.file)) }

// changed returns the file as it is with the bug, of the source in dir.
func (b bug) changed(t *testing.T, dir string) []byte {
	t.Helper()
	source, err := os.ReadFile(b.path(dir))
	if err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(string(source), b.right) {
		t.Fatalf("%s has no %q: the source has changed, so must this bug", b.file, b.right)
	}
	return []byte(strings.Replace(string(source), b.right, b.wrong, 1))
}

func (b bug) plant(t *testing.T, dir string) {
	t.Helper()
	if err := os.WriteFile(b.path(dir), b.changed(t, dir), 0o600); err != nil {
		t.Fatal(err)
	}
}

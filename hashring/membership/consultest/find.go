package consultest

import (
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
)

// find returns the path of Consul, as Start describes.
func find(t testing.TB) string {
	t.Helper()
	if path := os.Getenv("RINGKV_CONSUL"); path != "" {
		if _, err := os.Stat(path); err != nil {
			if os.Getenv("CI") == "true" {
				t.Fatalf("RINGKV_CONSUL names no Consul: %v", err)
			}
			t.Skipf("RINGKV_CONSUL names no Consul: %v", err)
		}
		return path
	}
	if path, err := exec.LookPath("consul"); err == nil {
		return path
	}
	path, err := inModule("bin", "consul")
	if err != nil {
		t.Skipf("no Consul to test against: %v; put consul on PATH or name it in RINGKV_CONSUL", err)
	}
	return path
}

// inModule returns the path of a file below the directory that has go.mod.
func inModule(parts ...string) (string, error) {
	dir, err := os.Getwd()
	if err != nil {
		return "", err
	}
	for {
		if _, err := os.Stat(filepath.Join(dir, "go.mod")); err == nil {
			path := filepath.Join(append([]string{dir}, parts...)...)
			_, err := os.Stat(path)
			return path, err
		}
		parent := filepath.Dir(dir)
		if parent == dir {
			return "", errors.New("there is no go.mod above the working directory")
		}
		dir = parent
	}
}

//go:build integration

package integration

import (
	"context"
	"fmt"
	"os"
	"testing"
	"time"

	"github.com/testcontainers/testcontainers-go"
	"github.com/testcontainers/testcontainers-go/log"
)

func TestMain(m *testing.M) {
	if err := checkEnvironment(os.Getenv); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(2)
	}
	log.SetDefault(log.NewNoopLogger())
	sweepNow()
	code := m.Run()
	sweepNow()
	os.Exit(code)
}

// checkEnvironment explains what `make integration` sets.
func checkEnvironment(getenv func(string) string) error {
	if v := getenv("TESTCONTAINERS_RYUK_DISABLED"); v != "true" {
		return fmt.Errorf("TESTCONTAINERS_RYUK_DISABLED is %q, want true, in that spelling: its reaper is an image to pull, and these tests clean up by themselves. `make integration` sets it", v)
	}
	if getenv("TESTCONTAINERS_HOST_OVERRIDE") == "" {
		return fmt.Errorf("TESTCONTAINERS_HOST_OVERRIDE is not set, want localhost, or the host whose ports Docker publishes. `make integration` sets it")
	}
	return nil
}

// sweepNow says so if it fails, and lets the tests decide whether they can run.
func sweepNow() {
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	docker, err := testcontainers.NewDockerClientWithOpts(ctx)
	if err != nil {
		return // newDocker tells each test
	}
	if err := sweep(ctx, docker, time.Now()); err != nil {
		fmt.Fprintln(os.Stderr, "remove what runs have left behind:", err)
	}
	if err := docker.Close(); err != nil {
		fmt.Fprintln(os.Stderr, "close the Docker client:", err)
	}
}

func TestEnvironmentIsExplained(t *testing.T) {
	for _, c := range []struct {
		ryuk, host string
		good       bool
	}{
		{"true", "localhost", true},
		{"1", "localhost", false},
		{"TRUE", "localhost", false},
		{"", "localhost", false},
		{"true", "", false},
	} {
		err := checkEnvironment(func(name string) string {
			return map[string]string{"TESTCONTAINERS_RYUK_DISABLED": c.ryuk, "TESTCONTAINERS_HOST_OVERRIDE": c.host}[name]
		})
		if (err == nil) != c.good {
			t.Errorf("checkEnvironment(%q, %q) = %v, want good = %v", c.ryuk, c.host, err, c.good)
		}
	}
}

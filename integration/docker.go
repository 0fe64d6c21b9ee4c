//go:build integration

package integration

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"os"
	"testing"
	"time"

	"github.com/moby/moby/api/types/container"
	"github.com/moby/moby/client"
	"github.com/testcontainers/testcontainers-go"
)

// The images, which `make images` builds. Consul's is CONSUL_IMAGE where that is here or can be pulled, else the home-built one.
const (
	nodeImage       = "ringkv/node:dev"
	gatewayImage    = "ringkv/gateway:dev"
	homeBuiltConsul = "ringkv/consul:1.22.3"
)

const (
	runLabel = "ringkv.integration" // on all that a run creates: which run it was
	bornAt   = "ringkv.born"        // and when, in Unix seconds

	// staleAfter is the age at which what another run left behind is removed: longer than any run may take.
	staleAfter = 20 * time.Minute

	pullPatience  = 20 * time.Second
	startPatience = 60 * time.Second
)

// newDocker returns a client of the Docker engine. Without one the test is skipped, and fails where CI=true: a run that tested
// nothing must not look like one that passed.
func newDocker(t testing.TB) *testcontainers.DockerClient {
	t.Helper()
	docker, err := testcontainers.NewDockerClientWithOpts(t.Context())
	if err == nil {
		_, err = docker.Ping(t.Context(), client.PingOptions{})
	}
	switch {
	case err == nil:
	case os.Getenv("CI") == "true":
		t.Fatalf("no Docker engine can be reached, and CI=true wants these tests to run: %v", err)
	default:
		t.Skipf("no Docker engine can be reached: %v", err)
	}
	t.Cleanup(func() {
		if err := docker.Close(); err != nil {
			t.Errorf("close the Docker client: %v", err)
		}
	})
	return docker
}

// consulImage returns the image to run Consul from.
func consulImage(ctx context.Context, docker *testcontainers.DockerClient) (string, error) {
	wanted := cmp.Or(os.Getenv("CONSUL_IMAGE"), "hashicorp/consul:1.22")
	for _, image := range []string{wanted, homeBuiltConsul} {
		if _, err := docker.ImageInspect(ctx, image); err == nil {
			return image, nil
		}
	}
	ctx, cancel := context.WithTimeout(ctx, pullPatience)
	defer cancel()
	pull, err := docker.ImagePull(ctx, wanted, client.ImagePullOptions{})
	if err == nil {
		err = pull.Wait(ctx)
	}
	if err != nil {
		return "", fmt.Errorf("%s is not here and can't be pulled, and %s is not built: run make images: %w", wanted, homeBuiltConsul, err)
	}
	return wanted, nil
}

// labels returns what marks a container or network as this run's.
func labels() map[string]string {
	return map[string]string{runLabel: testcontainers.SessionID(), bornAt: fmt.Sprint(time.Now().Unix())}
}

// sweep removes containers and networks that runs have left behind: this one's, and those of runs that must be long dead.
// Without the reaper of testcontainers, which is an image to pull, nobody else does it.
func sweep(ctx context.Context, docker *testcontainers.DockerClient, now time.Time) error {
	marked := client.Filters{}.Add("label", runLabel)
	containers, err := docker.ContainerList(ctx, client.ContainerListOptions{All: true, Filters: marked})
	if err != nil {
		return fmt.Errorf("list containers: %w", err)
	}
	var failed []error
	for _, c := range containers.Items {
		if leftover(c.Labels, now) {
			_, err := docker.ContainerRemove(ctx, c.ID, client.ContainerRemoveOptions{Force: true, RemoveVolumes: true})
			failed = append(failed, err)
		}
	}
	networks, err := docker.NetworkList(ctx, client.NetworkListOptions{Filters: marked})
	if err != nil {
		return fmt.Errorf("list networks: %w", err)
	}
	for _, n := range networks.Items {
		if leftover(n.Labels, now) {
			_, err := docker.NetworkRemove(ctx, n.ID, client.NetworkRemoveOptions{})
			failed = append(failed, err)
		}
	}
	return errors.Join(failed...)
}

func leftover(labels map[string]string, now time.Time) bool {
	var born int64
	if _, err := fmt.Sscan(labels[bornAt], &born); err != nil {
		return false // not made by this package
	}
	return labels[runLabel] == testcontainers.SessionID() || now.Sub(time.Unix(born, 0)) > staleAfter
}

// small keeps one container from taking the machine.
func small(host *container.HostConfig) { host.Memory = 512 << 20 }

//go:build integration

package integration

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	networks "github.com/moby/moby/api/types/network"
	"github.com/moby/moby/client"
	"github.com/testcontainers/testcontainers-go"
	"github.com/testcontainers/testcontainers-go/network"
)

// A machine is one container of a cluster: a Consul agent, a node or a gateway. Others in the cluster reach it by its name.
type machine struct {
	name   string
	port   string // the one that is published, such as "8001/tcp"
	ctr    *testcontainers.DockerContainer
	docker *testcontainers.DockerClient

	network string // id

	removed atomic.Bool

	mu   sync.Mutex // guards addr
	addr string     // host:port from here; another one after each start
}

// A spec is what a machine runs.
type spec struct {
	name, image, port string
	cmd               []string
	env               map[string]string
}

// launch creates and starts a container in the network. It's stopped, and forgotten with its data, when the test t ends.
// It may be called from any goroutine.
func launch(ctx context.Context, t testing.TB, docker *testcontainers.DockerClient, net *testcontainers.DockerNetwork, s spec) (*machine, error) {
	ctx, cancel := context.WithTimeout(ctx, startPatience)
	defer cancel()
	ctr, err := testcontainers.Run(ctx, s.image,
		testcontainers.WithCmd(s.cmd...),
		testcontainers.WithEnv(s.env),
		testcontainers.WithExposedPorts(s.port),
		testcontainers.WithLabels(labels()),
		testcontainers.WithHostConfigModifier(small),
		network.WithNetwork([]string{s.name}, net),
	)
	m := &machine{name: s.name, port: s.port, ctr: ctr, docker: docker, network: net.ID}
	testcontainers.CleanupContainer(t, ctr, testcontainers.StopTimeout(0))
	t.Cleanup(func() { m.explain(t) }) // before the clean-up above: the last registered runs first
	if err != nil {
		return nil, fmt.Errorf("start %s from %s: %w", s.name, s.image, err)
	}
	return m, m.locate(ctx)
}

// locate finds out where the published port is.
func (m *machine) locate(ctx context.Context) error {
	host, err := m.ctr.Host(ctx)
	if err != nil {
		return fmt.Errorf("find the host of %s: %w", m.name, err)
	}
	port, err := m.ctr.MappedPort(ctx, m.port)
	if err != nil {
		return fmt.Errorf("find the published port of %s: %w", m.name, err)
	}
	// Docker may publish another port for IPv6 than for IPv4 under the same name.
	host = strings.Replace(host, "localhost", "127.0.0.1", 1)
	m.mu.Lock()
	defer m.mu.Unlock()
	m.addr = fmt.Sprintf("%s:%d", host, port.Num())
	return nil
}

// address returns where the machine is reached from here.
func (m *machine) address() string {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.addr
}

// kill is SIGKILL: nothing is finished, nothing is flushed.
func (m *machine) kill(ctx context.Context) error {
	_, err := m.docker.ContainerKill(ctx, m.ctr.GetContainerID(), client.ContainerKillOptions{Signal: "KILL"})
	return m.named("kill", err)
}

// stop is SIGTERM, and waiting until it's over.
func (m *machine) stop(ctx context.Context) error {
	patience := startPatience
	return m.named("stop", m.ctr.Stop(ctx, &patience))
}

// start starts the container again, with the data that it had.
func (m *machine) start(ctx context.Context) error {
	if err := m.begin(ctx); err != nil {
		return err
	}
	return m.locate(ctx)
}

// begin is start for a process that may end at once.
func (m *machine) begin(ctx context.Context) error {
	_, err := m.docker.ContainerStart(ctx, m.ctr.GetContainerID(), client.ContainerStartOptions{})
	return m.named("start", err)
}

// pause freezes all processes: connections stay open, and nothing answers.
func (m *machine) pause(ctx context.Context) error {
	_, err := m.docker.ContainerPause(ctx, m.ctr.GetContainerID(), client.ContainerPauseOptions{})
	return m.named("pause", err)
}

func (m *machine) resume(ctx context.Context) error {
	_, err := m.docker.ContainerUnpause(ctx, m.ctr.GetContainerID(), client.ContainerUnpauseOptions{})
	return m.named("resume", err)
}

// remove kills it, and throws its disk away.
func (m *machine) remove(ctx context.Context) error {
	_, err := m.docker.ContainerRemove(ctx, m.ctr.GetContainerID(), client.ContainerRemoveOptions{Force: true, RemoveVolumes: true})
	m.removed.Store(err == nil)
	return m.named("remove", err)
}

// awaitExit waits until the process has ended, and returns when that was. Docker says so up to some seconds later, when it has cleaned up.
func (m *machine) awaitExit(ctx context.Context) (time.Time, error) {
	if _, err := m.exitStatus(ctx); err != nil {
		return time.Time{}, err
	}
	seen, err := m.docker.ContainerInspect(ctx, m.ctr.GetContainerID(), client.ContainerInspectOptions{})
	if err != nil {
		return time.Time{}, m.named("inspect", err)
	}
	ended, err := time.Parse(time.RFC3339Nano, seen.Container.State.FinishedAt)
	return ended, m.named("find out the end of", err)
}

// exitStatus waits until the process has ended, and returns with what.
func (m *machine) exitStatus(ctx context.Context) (int64, error) {
	wait := m.docker.ContainerWait(ctx, m.ctr.GetContainerID(), client.ContainerWaitOptions{})
	select {
	case end := <-wait.Result:
		return end.StatusCode, nil
	case err := <-wait.Error:
		return 0, m.named("wait for the end of", err)
	}
}

func (m *machine) named(verb string, err error) error {
	if err == nil {
		return nil
	}
	return fmt.Errorf("%s %s: %w", verb, m.name, err)
}

// maxLog bounds how much of a machine's log a failed test shows.
const maxLog = 6 << 10

// explain shows the end of the machine's log if the test has failed.
func (m *machine) explain(t testing.TB) {
	if !t.Failed() || m.ctr == nil || m.removed.Load() {
		return
	}
	text, err := m.log(context.Background())
	t.Logf("the end of the log of %s (%v):\n%s", m.name, err, text[max(0, len(text)-maxLog):])
}

// log returns all that the machine has said so far.
func (m *machine) log(ctx context.Context) (string, error) {
	logs, err := m.ctr.Logs(ctx)
	if err != nil {
		return "", m.named("read the log of", err)
	}
	text, err := io.ReadAll(logs)
	return string(text), m.named("read the log of", errors.Join(err, logs.Close()))
}

// edit changes a file of a machine that is down, without making it longer or shorter.
func (m *machine) edit(ctx context.Context, path string, change func(content []byte)) error {
	file, err := m.ctr.CopyFileFromContainer(ctx, path)
	if err != nil {
		return m.named("copy "+path+" from", err)
	}
	content, err := io.ReadAll(file)
	if err = errors.Join(err, file.Close()); err != nil {
		return m.named("read "+path+" of", err)
	}
	change(content)
	const anyone = 0o666 // the file is root's after that
	return m.named("copy "+path+" to", m.ctr.CopyToContainer(ctx, content, path, anyone))
}

// cutOff takes the machine off its network: nobody reaches it, and it reaches nobody.
func (m *machine) cutOff(ctx context.Context) error {
	_, err := m.docker.NetworkDisconnect(ctx, m.network, client.NetworkDisconnectOptions{Container: m.ctr.GetContainerID()})
	return m.named("cut off", err)
}

// rejoin ends cutOff.
func (m *machine) rejoin(ctx context.Context) error {
	_, err := m.docker.NetworkConnect(ctx, m.network, client.NetworkConnectOptions{
		Container: m.ctr.GetContainerID(), EndpointConfig: &networks.EndpointSettings{Aliases: []string{m.name}},
	})
	if err != nil {
		return m.named("rejoin", err)
	}
	return m.locate(ctx)
}

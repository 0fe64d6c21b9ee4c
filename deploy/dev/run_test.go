package main

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// cluster is a config of fakes on ports that are free.
func cluster(t *testing.T) config {
	t.Helper()
	t.Setenv("PATH", "")
	bin := fakes(t, "dev", "consul", "kvnode", "kvgateway")
	for range 100 {
		// Below the ports that the system gives out by itself.
		base := 10000 + rand.IntN(20000)
		cfg := parsed(t, "-bin", bin, "-data", filepath.Join(t.TempDir(), "data"), "-ready", "30s",
			"-node-port", fmt.Sprint(base), "-gateway-port", fmt.Sprint(base+10), "-consul-port", fmt.Sprint(base+500))
		if cfg.free() == nil {
			return cfg
		}
	}
	t.Fatal("no free ports found")
	return config{}
}

// running runs the cluster in the background; the result comes once, and is on the screen too.
func running(cfg config, screen *screen) (chan<- os.Signal, <-chan error) {
	signals, result := make(chan os.Signal, 2), make(chan error, 1)
	go func() {
		err := run(cfg, screen, signals)
		_, _ = fmt.Fprintln(screen, "run ended:", err)
		result <- err
	}()
	return signals, result
}

func TestAClusterStartsServesLosesANodeAndStops(t *testing.T) {
	cfg, screen := cluster(t), &screen{}
	signals, result := running(cfg, screen)
	screen.await(t, "ringkv is ready")
	screen.inOrder(t, "consul    | started", "gateway   | started", "curl -X PUT -d myvalue1")

	url := fmt.Sprintf("http://127.0.0.1:%d/destroy", cfg.nodePort+1)
	if response, err := http.Post(url, "", nil); err == nil {
		response.Body.Close()
		t.Error("the node answered after it was destroyed")
	}
	screen.await(t, fmt.Sprintf("node %d exited: exit status 137; start it again with: CONSUL_HTTP_ADDR=%s ", cfg.nodePort+1, cfg.consul()))
	if err := newProber().roundTrip(t.Context(), cfg.gateway()); err != nil {
		t.Errorf("the gateway after the node's end: %v", err)
	}

	signals <- os.Interrupt
	if err := <-result; err != nil {
		t.Errorf("run() = %v, want nil after Ctrl-C", err)
	}
	screen.inOrder(t, "gateway   | stopped", fmt.Sprintf("node %d", cfg.nodePort), "consul    | stopped")
	content, err := os.ReadFile(filepath.Join(cfg.data, "dev.pid"))
	if err != nil || len(content) != 0 {
		t.Errorf("dev.pid holds %q, %v, want nothing after the end", content, err)
	}
	if err := cfg.free(); err != nil {
		t.Errorf("after the end: %v", err)
	}
}

func TestAClusterThatNeverServesIsExplained(t *testing.T) {
	cfg, screen := cluster(t), &screen{}
	cfg.ready = 5 * time.Second // all five programs have to start within it
	t.Setenv("FAKE_GATEWAY", "not ready")
	_, result := running(cfg, screen)
	err := <-result
	if err == nil {
		t.Fatal("run() = nil, want an error: the gateway was never ready")
	}
	for _, want := range []string{"not ready after 5s", "503", fmt.Sprintf("node %d: ready: state: ready", cfg.nodePort), "gateway: not ready", "no ring yet"} {
		if !strings.Contains(err.Error(), want) {
			t.Errorf("the error lacks %q:\n%v", want, err)
		}
	}
	screen.inOrder(t, "gateway   | stopped", "consul    | stopped")
}

func TestASignalBeforeItIsReadyStopsIt(t *testing.T) {
	cfg, screen := cluster(t), &screen{}
	t.Setenv("FAKE_GATEWAY", "not ready")
	signals, result := running(cfg, screen)
	screen.await(t, "gateway   | started")
	signals <- os.Interrupt
	if err := <-result; err != nil {
		t.Errorf("run() = %v, want nil after Ctrl-C", err)
	}
	screen.inOrder(t, "gateway   | stopped", "consul    | stopped")
}

func TestAPortInUseIsNamed(t *testing.T) {
	cfg := cluster(t)
	for _, port := range []int{cfg.nodePort, cfg.gatewayPort, cfg.consulPort} {
		listener, err := net.Listen("tcp", loopback(port))
		if err != nil {
			t.Fatal(err)
		}
		err = cfg.free()
		if port == cfg.consulPort {
			err = run(cfg, &screen{}, nil)
		}
		if err == nil || !strings.Contains(err.Error(), fmt.Sprintf("port %d", port)) || strings.Contains(err.Error(), "\n") {
			t.Errorf("got %v, want one line that names port %d", err, port)
		}
		if port == cfg.consulPort && !strings.Contains(err.Error(), "CONSUL_HTTP_ADDR=") {
			t.Errorf("run() = %v, want it to say how that Consul can be used", err)
		}
		if err := listener.Close(); err != nil {
			t.Fatal(err)
		}
	}
}

func TestAKilledRunIsNotInTheWayOfTheNext(t *testing.T) {
	cfg, first := cluster(t), &screen{}
	cmd := exec.Command(filepath.Join(cfg.bin, "dev"), "-bin", cfg.bin, "-data", cfg.data, "-node-port", fmt.Sprint(cfg.nodePort),
		"-gateway-port", fmt.Sprint(cfg.gatewayPort), "-consul-port", fmt.Sprint(cfg.consulPort))
	cmd.Stdout, cmd.Stderr = first, first
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	first.await(t, "ringkv is ready")
	if err := cmd.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	_ = cmd.Wait() // it was killed

	second := &screen{}
	signals, result := running(cfg, second)
	second.await(t, "ringkv is ready")
	signals <- os.Interrupt
	if err := <-result; err != nil {
		t.Errorf("run() = %v, want nil after Ctrl-C", err)
	}
}

func TestAwaitStartsNothing(t *testing.T) {
	cfg, screen := cluster(t), &screen{}
	signals, result := running(cfg, screen)
	screen.await(t, "ringkv is ready")
	waiting := &strings.Builder{}
	if err := run(config{await: cfg.gateway(), ready: time.Minute}, waiting, nil); err != nil {
		t.Errorf("run(-await) = %v", err)
	}
	if want := "a write and a read pass through http://" + cfg.gateway() + "\n"; waiting.String() != want {
		t.Errorf("printed %q, want %q", waiting, want)
	}
	signals <- os.Interrupt
	if err := <-result; err != nil {
		t.Error(err)
	}
	if err := run(config{await: cfg.gateway(), ready: 100 * time.Millisecond}, waiting, nil); err == nil || !strings.Contains(err.Error(), "not ready after 100ms") {
		t.Errorf("run(-await) = %v, want that it is not ready", err)
	}
}

func TestASignalEndsAwait(t *testing.T) {
	signals := make(chan os.Signal, 1)
	signals <- os.Interrupt
	began := time.Now()
	err := run(config{await: "127.0.0.1:1", ready: 20 * time.Second}, &strings.Builder{}, signals)
	if !errors.Is(err, errStopped) || time.Since(began) > 10*time.Second {
		t.Errorf("run(-await) = %v after %v, want %v at once", err, time.Since(began), errStopped)
	}
}

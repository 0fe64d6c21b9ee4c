//go:build integration

// Package deploy_test brings up what `make up` brings up, and takes it down again.
package deploy_test

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"
)

// project is compose's name for what the test starts.
const project = "ringkv-compose-test"

// stack is the compose file, brought up with ports of the engine's choice, so that it stands beside a `make up` or `make run`.
type stack struct {
	program []string
	file    string
}

// publishedPort matches the fixed port of an entry such as "127.0.0.1:8001:8001".
var publishedPort = regexp.MustCompile(`"127\.0\.0\.1:\d+:`)

func bringUp(t *testing.T) *stack {
	t.Helper()
	content, err := os.ReadFile("compose.yaml")
	if err != nil {
		t.Fatal(err)
	}
	s := &stack{program: composeProgram(t), file: filepath.Join(t.TempDir(), "compose.yaml")}
	if err := os.WriteFile(s.file, publishedPort.ReplaceAll(content, []byte(`"127.0.0.1::`)), 0o644); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if t.Failed() {
			t.Log(s.run(context.Background(), t, "logs", "--tail", "40"))
		}
		s.run(context.Background(), t, "down", "-v")
	})
	s.run(t.Context(), t, "down", "-v") // what a test that was killed left
	s.run(t.Context(), t, "up", "-d")
	return s
}

func composeProgram(t *testing.T) []string {
	t.Helper()
	if _, err := exec.LookPath("docker-compose"); err == nil {
		return []string{"docker-compose"}
	}
	if exec.Command("docker", "compose", "version").Run() == nil {
		return []string{"docker", "compose"}
	}
	if os.Getenv("CI") == "true" {
		t.Fatal("neither docker-compose nor docker compose is installed")
	}
	t.Skip("neither docker-compose nor docker compose is installed")
	return nil
}

// run returns what compose prints.
func (s *stack) run(ctx context.Context, t *testing.T, args ...string) string {
	t.Helper()
	ctx, cancel := context.WithTimeout(ctx, 3*time.Minute)
	defer cancel()
	words := append(append(s.program[:len(s.program):len(s.program)], "-p", project, "-f", s.file), args...)
	cmd := exec.CommandContext(ctx, words[0], words[1:]...)
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	stdout, err := cmd.Output()
	if err != nil {
		t.Errorf("%s: %v\n%s%s", strings.Join(words, " "), err, stdout, &stderr)
	}
	return strings.TrimSpace(string(stdout))
}

// url is where the service's port is published.
func (s *stack) url(t *testing.T, service, port string) string {
	t.Helper()
	return "http://" + s.run(t.Context(), t, "port", service, port)
}

var client = &http.Client{Timeout: 5 * time.Second, Transport: &http.Transport{MaxIdleConnsPerHost: 4}}

// ask returns the body of a 200.
func ask(ctx context.Context, method, url, body string) (string, error) {
	request, err := http.NewRequestWithContext(ctx, method, url, strings.NewReader(body))
	if err != nil {
		return "", err
	}
	response, err := client.Do(request)
	if err != nil {
		return "", err
	}
	defer response.Body.Close()
	answer, err := io.ReadAll(response.Body)
	if err == nil && response.StatusCode != http.StatusOK {
		err = fmt.Errorf("%s %s: %s: %s", method, url, response.Status, answer)
	}
	return string(answer), err
}

// roundTrip writes a key through one gateway and reads it through the other.
func roundTrip(ctx context.Context, writer, reader, key string) error {
	if _, err := ask(ctx, http.MethodPut, writer+"/kv/"+key, "value of "+key); err != nil {
		return err
	}
	return read(ctx, reader, key)
}

func read(ctx context.Context, gateway, key string) error {
	got, err := ask(ctx, http.MethodGet, gateway+"/kv/"+key+"?raw", "")
	if err == nil && got != "value of "+key {
		err = fmt.Errorf("%s gives %q for %s", gateway, got, key)
	}
	return err
}

// eventually returns when try does without an error.
func eventually(t *testing.T, within time.Duration, what string, try func(context.Context) error) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), within)
	defer cancel()
	ticker := time.NewTicker(100 * time.Millisecond)
	defer ticker.Stop()
	for {
		err := try(ctx)
		if err == nil {
			return
		}
		select {
		case <-ctx.Done():
			t.Fatalf("%s: not within %v: %v", what, within, err)
		case <-ticker.C:
		}
	}
}

// ringOf returns an error unless the gateway's ring has n nodes.
func ringOf(ctx context.Context, gateway string, n int) error {
	body, err := ask(ctx, http.MethodGet, gateway+"/ring", "")
	if err != nil {
		return err
	}
	var ring struct {
		Nodes []json.RawMessage `json:"nodes"`
	}
	if err := json.Unmarshal([]byte(body), &ring); err != nil {
		return err
	}
	if len(ring.Nodes) != n {
		return fmt.Errorf("the ring has %d nodes, want %d: %s", len(ring.Nodes), n, body)
	}
	return nil
}

func TestARestartedAgentLeavesTheRingServing(t *testing.T) {
	s := bringUp(t)
	gateways := [2]string{s.url(t, "gateway1", "8001"), s.url(t, "gateway2", "8001")}
	for i, gateway := range gateways {
		eventually(t, 90*time.Second, "a write and a read", func(ctx context.Context) error {
			return roundTrip(ctx, gateway, gateways[1-i], fmt.Sprintf("first/%d", i))
		})
		eventually(t, 30*time.Second, "a ring of three", func(ctx context.Context) error { return ringOf(ctx, gateway, 3) })
	}

	l := startLoad(t, gateways)
	s.run(t.Context(), t, "restart", "agent1")
	passesAgain(t, s.url(t, "consul", "8500"), "node1")
	for _, gateway := range gateways {
		eventually(t, 30*time.Second, "a ring of three again", func(ctx context.Context) error { return ringOf(ctx, gateway, 3) })
	}
	l.stop()
	l.judge()
	for _, key := range l.keys {
		for _, gateway := range gateways {
			if err := read(t.Context(), gateway, key); err != nil {
				t.Errorf("after the restart: %v", err)
			}
		}
	}
}

// passesAgain returns when Consul's check of the node has passed for as long as a restarted agent needs to run and report it: its
// checks are critical at first, which may reach Consul a little later than the agent is back.
func passesAgain(t *testing.T, consul, id string) {
	t.Helper()
	const settled = 3 * time.Second
	since := time.Now()
	eventually(t, time.Minute, id+" passes again", func(ctx context.Context) error {
		if err := passes(ctx, consul, id); err != nil {
			since = time.Now()
			return err
		}
		if time.Since(since) < settled {
			return fmt.Errorf("%s has not passed for %v yet", id, settled)
		}
		return nil
	})
}

// passes returns an error unless Consul's check of the node passes.
func passes(ctx context.Context, consul, id string) error {
	body, err := ask(ctx, http.MethodGet, consul+"/v1/health/service/ringkv-node?passing", "")
	if err == nil && !strings.Contains(body, `"ringkv-node-`+id+`"`) {
		err = fmt.Errorf("%s is not among those that pass: %s", id, body)
	}
	return err
}

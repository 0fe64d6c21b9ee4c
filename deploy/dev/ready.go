package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"time"

	"github.com/hashicorp/consul/api"
)

// A try is short, so that a late one of many does not use up the time of all.
const (
	tryTimeout = 3 * time.Second
	tryEvery   = 200 * time.Millisecond
)

// probeKey is written, read and deleted to see whether the cluster serves.
const probeKey = "make-run/ready"

// prober asks the processes of a cluster how they are.
type prober struct {
	client *http.Client
}

func newProber() prober {
	// No proxy: all of it is on this machine.
	return prober{client: &http.Client{Timeout: tryTimeout, Transport: &http.Transport{}}}
}

// awaitLeader returns when the Consul at address has a leader, without which nothing can register.
func (p prober) awaitLeader(ctx context.Context, address string) error {
	settings := api.DefaultConfig()
	settings.Address = address
	consul, err := api.NewClient(settings)
	if err != nil {
		return fmt.Errorf("use Consul at %s: %w", address, err)
	}
	if err := repeat(ctx, func() error { return hasLeader(ctx, consul) }); err != nil {
		return fmt.Errorf("Consul at %s has no leader: %w", address, err)
	}
	return nil
}

// repeat tries until it succeeds, or returns why it did not before ctx ended.
func repeat(ctx context.Context, try func() error) error {
	var last error
	done := poll(ctx, tryEvery, func() bool {
		err := try()
		// A try that was cut short would hide the reason of those before it.
		if err == nil || ctx.Err() == nil || last == nil {
			last = err
		}
		return err == nil
	})
	if done {
		return nil
	}
	return last
}

func hasLeader(ctx context.Context, consul *api.Client) error {
	ctx, cancel := context.WithTimeout(ctx, tryTimeout)
	defer cancel()
	leader, err := consul.Status().LeaderWithQueryOptions((&api.QueryOptions{}).WithContext(ctx))
	if err == nil && leader == "" {
		err = errors.New("none is elected yet")
	}
	return err
}

// awaitNodes returns when every node says that it serves: two of three are enough for a write to pass.
func (p prober) awaitNodes(ctx context.Context, cfg config) error {
	for i := range cfg.nodes {
		url := "http://" + loopback(cfg.nodePort+i) + "/health-check"
		err := repeat(ctx, func() error {
			_, err := p.ask(ctx, http.MethodGet, url, "")
			return err
		})
		if err != nil {
			return fmt.Errorf("node %d does not serve: %w", cfg.nodePort+i, err)
		}
	}
	return nil
}

// awaitService returns when a write and a read pass through the gateway.
func (p prober) awaitService(ctx context.Context, gateway string) error {
	if err := repeat(ctx, func() error { return p.roundTrip(ctx, gateway) }); err != nil {
		return fmt.Errorf("no write and read through the gateway at %s: %w", gateway, err)
	}
	return nil
}

// roundTrip writes a key through the gateway, reads it back and deletes it.
func (p prober) roundTrip(ctx context.Context, gateway string) error {
	url := "http://" + gateway + "/kv/" + probeKey
	value := time.Now().UTC().Format(time.RFC3339Nano)
	if _, err := p.ask(ctx, http.MethodPut, url, value); err != nil {
		return err
	}
	got, err := p.ask(ctx, http.MethodGet, url+"?raw", "")
	if err != nil {
		return err
	}
	if got != value {
		return fmt.Errorf("GET %s gave %q after a PUT of %q", url, got, value)
	}
	_, err = p.ask(ctx, http.MethodDelete, url, "")
	return err
}

// ask returns the body of a 200, and an error that repeats the body of anything else.
func (p prober) ask(ctx context.Context, method, url, body string) (string, error) {
	request, err := http.NewRequestWithContext(ctx, method, url, strings.NewReader(body))
	if err != nil {
		return "", err
	}
	response, err := p.client.Do(request)
	if err != nil {
		return "", err
	}
	defer response.Body.Close()
	answer, err := io.ReadAll(io.LimitReader(response.Body, 4<<10))
	if err != nil {
		return "", fmt.Errorf("%s %s: %w", method, url, err)
	}
	if response.StatusCode != http.StatusOK {
		return "", fmt.Errorf("%s %s: %s: %s", method, url, response.Status, bytes.TrimSpace(answer))
	}
	return string(answer), nil
}

// report says of each node and of the gateway what it answers about itself: what to read when the cluster does not serve.
func (p prober) report(cfg config) string {
	var text strings.Builder
	for i := range cfg.nodes {
		port := cfg.nodePort + i
		fmt.Fprintf(&text, "  node %d: %s\n", port, p.state("http://"+loopback(port)+"/health-check"))
	}
	fmt.Fprintf(&text, "  gateway: %s\n", p.state("http://"+cfg.gateway()+"/readyz"))
	return text.String()
}

func (p prober) state(url string) string {
	answer, err := p.ask(context.Background(), http.MethodGet, url, "")
	if err != nil {
		return "not ready: " + err.Error()
	}
	first, _, _ := strings.Cut(strings.TrimSpace(answer), "\n")
	return "ready: " + first
}

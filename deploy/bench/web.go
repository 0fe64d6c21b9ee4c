package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"time"

	"golang.org/x/sync/errgroup"
)

// writers is how many keys are written at once before the measurements.
const writers = 16

// browser asks the systems how they are, and writes the keys.
type browser struct {
	client *http.Client
}

func newBrowser() browser {
	// No proxy: all of it is on this machine.
	return browser{client: &http.Client{Timeout: 5 * time.Second, Transport: &http.Transport{MaxIdleConnsPerHost: writers}}}
}

// ask returns the body of a 200, and an error that repeats the body of anything else.
func (b browser) ask(ctx context.Context, method, url, body string) ([]byte, error) {
	request, err := http.NewRequestWithContext(ctx, method, url, strings.NewReader(body))
	if err != nil {
		return nil, err
	}
	response, err := b.client.Do(request)
	if err != nil {
		return nil, err
	}
	answer, err := io.ReadAll(io.LimitReader(response.Body, 1<<20))
	if closing := response.Body.Close(); err == nil {
		err = closing
	}
	if err != nil {
		return nil, fmt.Errorf("%s %s: %w", method, url, err)
	}
	if response.StatusCode != http.StatusOK {
		return nil, fmt.Errorf("%s %s: %s: %s", method, url, response.Status, bytes.TrimSpace(answer))
	}
	return answer, nil
}

// askJSON decodes the body of a 200 into answer.
func (b browser) askJSON(ctx context.Context, url string, answer any) error {
	body, err := b.ask(ctx, http.MethodGet, url, "")
	if err != nil {
		return err
	}
	if err := json.Unmarshal(body, answer); err != nil {
		return fmt.Errorf("GET %s: %w", url, err)
	}
	return nil
}

// fill writes all keys below url once, as kv.lua names them.
func (b browser) fill(ctx context.Context, url string) error {
	value := strings.Repeat("v", valueBytes)
	group, groupCtx := errgroup.WithContext(ctx)
	group.SetLimit(writers)
	for i := 1; i <= keys && groupCtx.Err() == nil; i++ {
		group.Go(func() error {
			_, err := b.ask(groupCtx, http.MethodPut, fmt.Sprintf("%skey%d", url, i), value)
			return err
		})
	}
	if err := group.Wait(); err != nil {
		return fmt.Errorf("write the keys: %w", err)
	}
	return ctx.Err() // it may have cut the loop short
}

// eventually calls try until it succeeds, and gives up with its last error when the time is over.
func eventually(ctx context.Context, patience time.Duration, try func(context.Context) error) error {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	ticker := time.NewTicker(100 * time.Millisecond)
	defer ticker.Stop()
	for {
		err := try(ctx)
		if err == nil {
			return nil
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("not ready: %w", err)
		case <-ticker.C:
		}
	}
}

// freePorts are ports of loopback that nobody listens on. They are all taken at once, so that they differ.
func freePorts(count int) ([]int, error) {
	ports := make([]int, count)
	for i := range ports {
		listener, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			return nil, fmt.Errorf("find a free port: %w", err)
		}
		defer func() { _ = listener.Close() }() // nothing was ever written
		ports[i] = listener.Addr().(*net.TCPAddr).Port
	}
	return ports, nil
}

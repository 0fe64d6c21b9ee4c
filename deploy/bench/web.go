package main

import (
	"bytes"
	"context"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"time"

	"golang.org/x/sync/errgroup"
)

const (
	writers  = 64      // how many keys are written at once before the measurements
	inFlight = 4 << 20 // how many bytes of values, two values at least
	reported = 250_000 // after how many keys the user hears how far it is
)

// browser asks the systems how they are, and writes the keys.
type browser struct {
	client *http.Client
}

func newBrowser() browser {
	// No proxy: all of it is on this machine.
	return browser{client: &http.Client{Timeout: 10 * time.Second, Transport: &http.Transport{MaxIdleConnsPerHost: writers}}}
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
	answer, err := read(response)
	if err != nil {
		return nil, fmt.Errorf("%s %s: %w", method, url, err)
	}
	if response.StatusCode != http.StatusOK {
		return nil, fmt.Errorf("%s %s: %s: %s", method, url, response.Status, bytes.TrimSpace(answer))
	}
	return answer, nil
}

// read returns the body, which nobody lets grow beyond a MiB, and closes it.
func read(response *http.Response) ([]byte, error) {
	body, err := io.ReadAll(io.LimitReader(response.Body, 1<<20))
	if closing := response.Body.Close(); err == nil {
		err = closing
	}
	return body, err
}

// askJSON decodes the body of a 200 into answer.
func (b browser) askJSON(ctx context.Context, url string, answer any) error {
	return b.decode(ctx, http.MethodGet, url, "", answer)
}

// postJSON sends body and decodes the body of a 200 into answer.
func (b browser) postJSON(ctx context.Context, url, body string, answer any) error {
	return b.decode(ctx, http.MethodPost, url, body, answer)
}

func (b browser) decode(ctx context.Context, method, url, body string, answer any) error {
	got, err := b.ask(ctx, method, url, body)
	if err != nil {
		return err
	}
	if err := json.Unmarshal(got, answer); err != nil {
		return fmt.Errorf("%s %s: %w", method, url, err)
	}
	return nil
}

// put writes one key below url.
func (b browser) put(ctx context.Context, d dialect, url, key, value string) error {
	method, body := http.MethodPut, value
	if d == inJSON {
		encode := func(text string) string { return base64.StdEncoding.EncodeToString([]byte(text)) }
		method, body = http.MethodPost, fmt.Sprintf(`{"key":"%s","value":"%s"}`, encode(key), encode(value))
		key = "put"
	}
	_, err := b.ask(ctx, method, url+key, body)
	return err
}

// fill writes all keys of v below url once.
func (b browser) fill(ctx context.Context, d dialect, url string, v values, progress io.Writer) error {
	value := strings.Repeat("v", v.bytes)
	group, groupCtx := errgroup.WithContext(ctx)
	group.SetLimit(max(2, min(writers, inFlight/v.bytes)))
	for i := 1; i <= v.keys && groupCtx.Err() == nil; i++ {
		group.Go(func() error {
			put := func(ctx context.Context) error { return b.put(ctx, d, url, v.key(i), value) }
			if put(groupCtx) == nil {
				return nil
			}
			return eventually(groupCtx, ready, put) // a group that lost its leader gets another one
		})
		if i%reported == 0 && i < v.keys {
			say(progress, "%s of %s keys are written", count(float64(i)), count(float64(v.keys)))
		}
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

package membership

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"time"
)

const probesAtOnce = 64 // bounds sockets and goroutines, however long the list

// A Probe asks a node itself whether it serves under its id. It returns nil if so, and otherwise what was wrong: no
// answer, another id, starting, draining, broken. It is safe for concurrent use.
type Probe func(ctx context.Context, m Member) error

// NewHTTPProbe returns a Probe that asks GET /health-check?node=<id>, with a fresh connection each time, since an open
// one says nothing about whether new ones are accepted.
func NewHTTPProbe() Probe {
	client := &http.Client{
		Transport: &http.Transport{
			DialContext:            (&net.Dialer{}).DialContext,
			DisableKeepAlives:      true,
			DisableCompression:     true,
			MaxResponseHeaderBytes: 16 << 10,
		},
		CheckRedirect: func(*http.Request, []*http.Request) error {
			return errors.New("a health check must not redirect")
		},
	}
	return func(ctx context.Context, m Member) error {
		u := url.URL{Scheme: "http", Host: m.Addr, Path: "/health-check", RawQuery: url.Values{"node": {m.ID}}.Encode()}
		req, err := http.NewRequestWithContext(ctx, http.MethodGet, u.String(), nil)
		if err != nil {
			return fmt.Errorf("ask %s at %s: %w", m.ID, m.Addr, err)
		}
		resp, err := client.Do(req)
		if err != nil {
			return err // net/http names the address
		}
		reason := firstLine(resp.Body)
		if err := resp.Body.Close(); err != nil {
			return fmt.Errorf("close the answer of %s: %w", m.Addr, err)
		}
		if resp.StatusCode != http.StatusOK {
			return fmt.Errorf("%s at %s answers %d: %q", m.ID, m.Addr, resp.StatusCode, reason)
		}
		return nil
	}
}

// firstLine reads no more than a well-formed answer has. What can't be read is no reason.
func firstLine(body io.Reader) string {
	line, err := bufio.NewReader(io.LimitReader(body, 1<<10)).ReadString('\n')
	if err != nil && !errors.Is(err, io.EOF) {
		return ""
	}
	return strings.TrimSpace(line)
}

// serving asks the members, many at once and each with a timeout, and returns those that serve, in order.
func serving(ctx context.Context, members []Member, probe Probe, timeout time.Duration) []Member {
	serves := make([]bool, len(members))
	turn := make(chan struct{}, probesAtOnce)
	var wg sync.WaitGroup
	for i, m := range members {
		turn <- struct{}{}
		wg.Go(func() {
			defer func() { <-turn }()
			ctx, cancel := context.WithTimeout(ctx, timeout)
			defer cancel()
			serves[i] = probe(ctx, m) == nil
		})
	}
	wg.Wait()
	var list []Member
	for i, m := range members {
		if serves[i] {
			list = append(list, m)
		}
	}
	return list
}

// patient returns a probe that asks a node which gave no answer in time once more, and waits for longer: that its machine is
// busy is no reason to let go of it while Consul itself is in doubt. One that refuses is believed at once.
func patient(probe Probe) Probe {
	return func(ctx context.Context, m Member) error {
		short, cancel := context.WithTimeout(ctx, probeTimeout)
		defer cancel()
		err := probe(short, m)
		if err != nil && short.Err() != nil && ctx.Err() == nil {
			return probe(ctx, m)
		}
		return err
	}
}

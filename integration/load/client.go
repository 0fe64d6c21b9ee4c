package load

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"syscall"
	"testing"
	"time"

	"ringkv/integration/oracle"
)

// clientPatience is above the 2 s that a gateway gives a request, so that it's the gateway that decides.
const clientPatience = 5 * time.Second

// maxBody bounds what is read of an answer.
const maxBody = 4 << 20

// A Client speaks HTTP as curl does: no redirects followed, no proxy, nothing un-gzipped, nothing retried.
type Client struct{ http *http.Client }

// NewClient returns a client whose connections are closed when the test ends.
func NewClient(t testing.TB) *Client {
	transport := &http.Transport{DisableCompression: true, MaxIdleConnsPerHost: 64, IdleConnTimeout: 30 * time.Second}
	t.Cleanup(transport.CloseIdleConnections)
	return &Client{http: &http.Client{
		Transport:     transport,
		Timeout:       clientPatience,
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}}
}

// A Reply is an answer, or why there is none.
type Reply struct {
	Status int // 0 if there is none
	Header http.Header
	Text   string // the body
	Err    error

	// What the body says, if it is an object of JSON.
	Success bool   `json:"success"`
	Key     string `json:"key"`
	Value   string `json:"value"`
	Version string `json:"version"`
	Deleted bool   `json:"deleted"`
	Error   string `json:"error"`
	Outcome string `json:"outcome"`
}

func (r Reply) String() string {
	if r.Err != nil {
		return r.Err.Error()
	}
	return fmt.Sprintf("%d %s", r.Status, strings.TrimSpace(r.Text))
}

// Do sends one request. body nil sends none.
func (c *Client) Do(ctx context.Context, method, addr, path string, body *string) Reply {
	return c.do(ctx, method, addr, path, body, nil)
}

// do is Do with headers besides.
func (c *Client) do(ctx context.Context, method, addr, path string, body *string, headers map[string]string) Reply {
	var content io.Reader
	if body != nil {
		content = strings.NewReader(*body)
	}
	req, err := http.NewRequestWithContext(ctx, method, "http://"+addr+path, content)
	if err != nil {
		return Reply{Err: err}
	}
	if body != nil {
		req.Header.Set("Content-Type", "application/x-www-form-urlencoded") // as curl -d does
	}
	for name, value := range headers {
		req.Header.Set(name, value)
	}
	resp, err := c.http.Do(req)
	if err != nil {
		return Reply{Err: err}
	}
	text, err := io.ReadAll(io.LimitReader(resp.Body, maxBody))
	if err = errors.Join(err, resp.Body.Close()); err != nil {
		return Reply{Err: fmt.Errorf("read the answer of %s: %w", addr, err)}
	}
	r := Reply{Status: resp.StatusCode, Header: resp.Header, Text: string(text)}
	if strings.Contains(resp.Header.Get("Content-Type"), "json") && strings.HasPrefix(r.Text, "{") {
		if err := json.Unmarshal(text, &r); err != nil {
			return Reply{Err: fmt.Errorf("answer of %s is no JSON: %w: %s", addr, err, text)}
		}
	}
	return r
}

// Put stores a value.
func (c *Client) Put(ctx context.Context, addr, key, value string) Reply {
	return c.Do(ctx, "PUT", addr, keyPath(key), &value)
}

// PutIf stores a value in place of the version that must be there; version "" is for none.
func (c *Client) PutIf(ctx context.Context, addr, key, value, version string) Reply {
	condition := map[string]string{"If-None-Match": "*"}
	if version != "" {
		condition = map[string]string{"If-Match": `"` + version + `"`}
	}
	return c.do(ctx, "PUT", addr, keyPath(key), &value, condition)
}

// Get reads a value.
func (c *Client) Get(ctx context.Context, addr, key string) Reply {
	return c.Do(ctx, "GET", addr, keyPath(key), nil)
}

// Delete deletes a value.
func (c *Client) Delete(ctx context.Context, addr, key string) Reply {
	return c.Do(ctx, "DELETE", addr, keyPath(key), nil)
}

// Local asks one node what it holds itself.
func (c *Client) Local(ctx context.Context, addr, key string) Reply {
	return c.Do(ctx, "GET", addr, "/local/"+url.PathEscape(key), nil)
}

func keyPath(key string) string { return "/kv/" + url.PathEscape(key) }

// verdict says what a client may conclude from the answer to an operation, as the errors of the API are defined.
func (r Reply) verdict(kind oracle.Kind) (oracle.Outcome, oracle.Answer) {
	a := oracle.Answer{Value: r.Value, Found: r.Status == 200, Version: strings.Trim(r.Header.Get("ETag"), `"`)}
	if r.Version != "" {
		a.Version = r.Version
	}
	switch {
	case r.Status == 200 && r.Success:
		return oracle.OK, a
	case kind == oracle.Get && r.Status == 404 && r.Error == "not_found":
		return oracle.OK, a
	case kind == oracle.Cas && r.Status == 412 && r.Error == "precondition_failed":
		return oracle.OK, oracle.Answer{} // the version that comes along is of what is there instead
	case r.Status >= 400 && r.Status < 500, r.Status == 503 && r.Outcome == "none",
		errors.Is(r.Err, syscall.ECONNREFUSED): // nothing was sent
		a.Detail = r.String()
		return oracle.Failed, a
	default:
		a.Detail = r.String()
		return oracle.Unknown, a
	}
}

package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"time"

	"ringkv/hashring/membership"
	"ringkv/hashring/placement"
	"ringkv/node/keeper"
)

// peerClient asks other nodes about themselves. It uses no proxy, follows no redirect and un-gzips nothing.
type peerClient struct{ http *http.Client }

func newPeerClient() peerClient {
	return peerClient{&http.Client{
		Timeout:       2 * time.Second,
		Transport:     &http.Transport{DisableKeepAlives: true, DisableCompression: true},
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}}
}

// remembered asks the node m, on the disk that it registered with, which placement it remembers; nil for none.
func (p peerClient) remembered(ctx context.Context, m membership.Member) (*placement.Document, error) {
	status, body, err := p.ask(ctx, m, "/placement", placement.MaxBytes)
	switch {
	case err != nil:
		return nil, err
	case status == http.StatusOK:
		return placement.Parse(body)
	case status == http.StatusNotFound:
		var problem struct {
			Error string `json:"error"`
		}
		if err := json.Unmarshal(body, &problem); err == nil && problem.Error == "not_found" {
			return nil, nil
		}
	}
	return nil, fmt.Errorf("ask %s which placement it remembers: it answered %d", m.ID, status)
}

// maxProgress bounds an answer about a node's progress, in bytes.
const maxProgress = 4 << 10

// progress asks the node m, on the disk that it registered with, how far it has come with the placement.
func (p peerClient) progress(ctx context.Context, m membership.Member) (out keeper.Progress, err error) {
	status, body, err := p.ask(ctx, m, "/move", maxProgress)
	if err != nil {
		return out, err
	}
	if status != http.StatusOK {
		return out, fmt.Errorf("ask %s how far it has come: it answered %d", m.ID, status)
	}
	return out, json.Unmarshal(body, &out)
}

// ask gets path from the node m. An answer longer than limit is an error.
func (p peerClient) ask(ctx context.Context, m membership.Member, path string, limit int64) (status int, body []byte, err error) {
	ask := url.URL{Scheme: "http", Host: m.Addr, Path: path, RawQuery: url.Values{"node": {m.ID}, "disk": {m.Disk}}.Encode()}
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, ask.String(), nil)
	if err != nil {
		return 0, nil, err
	}
	resp, err := p.http.Do(req)
	if err != nil {
		return 0, nil, fmt.Errorf("ask %s for %s: %w", m.ID, path, err)
	}
	defer closing(&err, "close the answer", resp.Body.Close)
	body, err = io.ReadAll(io.LimitReader(resp.Body, limit+1))
	if err == nil && int64(len(body)) > limit {
		err = fmt.Errorf("it is longer than %d bytes", limit)
	}
	if err != nil {
		return 0, nil, fmt.Errorf("read what %s answers to %s: %w", m.ID, path, err)
	}
	return resp.StatusCode, body, nil
}

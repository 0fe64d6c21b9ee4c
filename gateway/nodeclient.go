package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"

	"ringkv/hashring/placement"
)

// What bounds a node's answer, in bytes.
const (
	maxMoveHeaders = 16 << 10
	maxMoveBody    = 4 << 10
)

// nodeClient asks nodes. It uses no proxy, follows no redirect and un-gzips nothing.
type nodeClient struct{ http *http.Client }

func newNodeClient() nodeClient {
	return nodeClient{&http.Client{
		Transport:     &http.Transport{DisableKeepAlives: true, DisableCompression: true, MaxResponseHeaderBytes: maxMoveHeaders},
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}}
}

// standing asks a node, on the disk that the placement names, how far it has come.
func (c nodeClient) standing(ctx context.Context, n placement.RingNode) (out standing, err error) {
	ask := url.URL{Scheme: "http", Host: n.Addr, Path: "/move", RawQuery: url.Values{"node": {n.ID}, "disk": {n.Disk}}.Encode()}
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, ask.String(), nil)
	if err != nil {
		return out, err
	}
	resp, err := c.http.Do(req)
	if err != nil {
		return out, err
	}
	defer func() { err = errors.Join(err, resp.Body.Close()) }()
	if resp.StatusCode != http.StatusOK {
		return out, fmt.Errorf("node %s answers %s", n.ID, resp.Status)
	}
	body, err := io.ReadAll(io.LimitReader(resp.Body, maxMoveBody))
	if err != nil {
		return out, err
	}
	return out, json.Unmarshal(body, &out)
}

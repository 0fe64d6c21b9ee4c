package main

import (
	"bytes"
	"context"
	_ "embed"
	"encoding/json"
	"errors"
	"fmt"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"time"
)

//go:embed kv.lua
var script []byte

// generator is wrk with its script.
type generator struct {
	wrk, script string // paths
}

// threads is how many of wrk share the connections, at least: one for each gateway, if there are more.
const threads = 2

// target is what wrk is pointed at.
type target struct {
	dialect dialect
	query   string   // of reads
	urls    []string // that the connections are spread over; they differ in host and port only
}

// load is what wrk saw.
type load struct {
	requests int
	refused  int // of these, answered 4xx or 5xx
	broken   int // connections that failed to open, to be read or to be written, and requests without an answer within 10 s
	took     time.Duration
	p50, p99 time.Duration
	p999     time.Duration
	longest  time.Duration // that one request took
	cpu      time.Duration // that wrk itself has used
}

func newGenerator(wrk, dir string) (generator, error) {
	g := generator{wrk: wrk, script: filepath.Join(dir, "kv.lua")}
	if err := os.WriteFile(g.script, script, 0o600); err != nil {
		return generator{}, fmt.Errorf("write the script for wrk: %w", err)
	}
	return g, nil
}

// run sends requests, and returns when the time is over. A request without an answer of 2xx or 3xx is an error.
func (g generator) run(ctx context.Context, w workload, t target, each time.Duration) (load, error) {
	seen, err := g.try(ctx, w, t, each)
	if err == nil && seen.requests == 0 {
		err = errors.New("no request was answered")
	}
	if err == nil && seen.refused+seen.broken > 0 {
		err = fmt.Errorf("of %d requests, %d were answered 4xx or 5xx; %d failed or timed out", seen.requests, seen.refused, seen.broken)
	}
	return seen, err
}

// try is run for when failures are what is counted.
func (g generator) try(ctx context.Context, w workload, t target, each time.Duration) (load, error) {
	wait, err := g.begin(ctx, w, t, each)
	if err != nil {
		return load{}, err
	}
	return wait()
}

// begin starts wrk, on the caller's thread (see main), and wait returns when the time is over. It has to be called.
func (g generator) begin(ctx context.Context, w workload, t target, each time.Duration) (wait func() (load, error), err error) {
	addresses, err := t.addresses()
	if err != nil {
		return nil, err
	}
	cmd := exec.CommandContext(ctx, g.wrk, fmt.Sprintf("-t%d", min(w.connections, max(threads, len(t.urls)))), fmt.Sprintf("-c%d", w.connections),
		fmt.Sprintf("-d%ds", int(each.Seconds())), "--timeout", "10s", "-s", g.script, t.urls[0], "--",
		string(t.dialect), strconv.Itoa(w.writes), w.values.prefix, strconv.Itoa(w.values.keys), strconv.Itoa(w.values.bytes), t.query)
	cmd.Env = append(os.Environ(), "BENCH_ADDRESSES="+addresses)
	cmd.SysProcAttr = attributes()
	var output, complaints bytes.Buffer
	cmd.Stdout, cmd.Stderr = &output, &complaints
	if err := cmd.Start(); err != nil {
		return nil, fmt.Errorf("wrk: %w", err)
	}
	return func() (load, error) {
		if err := cmd.Wait(); err != nil {
			return load{}, fmt.Errorf("wrk: %w: %s", err, bytes.TrimSpace(complaints.Bytes()))
		}
		seen, err := parseLoad(output.Bytes())
		seen.cpu = cmd.ProcessState.UserTime() + cmd.ProcessState.SystemTime()
		return seen, err
	}, nil
}

// addresses is host:port of all URLs, as kv.lua takes them.
func (t target) addresses() (string, error) {
	var list []string
	for _, text := range t.urls {
		at, err := url.Parse(text)
		if err != nil {
			return "", err
		}
		list = append(list, at.Host)
	}
	return strings.Join(list, " "), nil
}

// parseLoad reads the line that the script prints last.
func parseLoad(output []byte) (load, error) {
	output = bytes.TrimSpace(output)
	line := output[bytes.LastIndexByte(output, '\n')+1:]
	var seen struct {
		Requests                    int
		Micros, P50, P99, P999, Max int64
		Errors                      struct{ Connect, Read, Write, Status, Timeout int }
	}
	if err := json.Unmarshal(line, &seen); err != nil {
		return load{}, fmt.Errorf("wrk printed no figures but %q: %w", output, err)
	}
	if seen.Micros == 0 {
		return load{}, fmt.Errorf("wrk printed no time: %s", line)
	}
	e := seen.Errors
	return load{
		requests: seen.Requests,
		refused:  e.Status,
		broken:   e.Connect + e.Read + e.Write + e.Timeout,
		took:     time.Duration(seen.Micros) * time.Microsecond,
		p50:      time.Duration(seen.P50) * time.Microsecond,
		p99:      time.Duration(seen.P99) * time.Microsecond,
		p999:     time.Duration(seen.P999) * time.Microsecond,
		longest:  time.Duration(seen.Max) * time.Microsecond,
	}, nil
}

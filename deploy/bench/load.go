package main

import (
	"bytes"
	"context"
	_ "embed"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"time"
)

//go:embed kv.lua
var script []byte

// generator is wrk with its script.
type generator struct {
	wrk, script string // paths
}

// load is what wrk saw.
type load struct {
	requests int
	took     time.Duration
	p50, p99 time.Duration
	cpu      time.Duration // that wrk itself has used
}

func newGenerator(wrk, dir string) (generator, error) {
	g := generator{wrk: wrk, script: filepath.Join(dir, "kv.lua")}
	if err := os.WriteFile(g.script, script, 0o600); err != nil {
		return generator{}, fmt.Errorf("write the script for wrk: %w", err)
	}
	return g, nil
}

// run sends requests for the keys below url, and returns when the time is over. A request without an answer of 2xx or 3xx is an error.
func (g generator) run(ctx context.Context, op operation, url string, each time.Duration) (load, error) {
	cmd := exec.CommandContext(ctx, g.wrk, fmt.Sprintf("-t%d", threads), fmt.Sprintf("-c%d", connections), fmt.Sprintf("-d%ds", int(each.Seconds())),
		"--timeout", "10s", "-s", g.script, url, "--", op.method, op.query)
	cmd.SysProcAttr = attributes()
	var output, complaints bytes.Buffer
	cmd.Stdout, cmd.Stderr = &output, &complaints
	if err := cmd.Run(); err != nil {
		return load{}, fmt.Errorf("wrk: %w: %s", err, bytes.TrimSpace(complaints.Bytes()))
	}
	seen, err := parseLoad(output.Bytes())
	seen.cpu = cmd.ProcessState.UserTime() + cmd.ProcessState.SystemTime()
	return seen, err
}

// parseLoad reads the line that the script prints last.
func parseLoad(output []byte) (load, error) {
	output = bytes.TrimSpace(output)
	line := output[bytes.LastIndexByte(output, '\n')+1:]
	var seen struct {
		Requests         int
		Micros, P50, P99 int64
		Errors           struct{ Connect, Read, Write, Status, Timeout int }
	}
	if err := json.Unmarshal(line, &seen); err != nil {
		return load{}, fmt.Errorf("wrk printed no figures but %q: %w", output, err)
	}
	if e := seen.Errors; e.Connect+e.Read+e.Write+e.Status+e.Timeout > 0 {
		return load{}, fmt.Errorf("of %d requests, %d were answered 4xx or 5xx, %d timed out; connections failed %d times to open, %d to be read, %d to be written",
			seen.Requests, e.Status, e.Timeout, e.Connect, e.Read, e.Write)
	}
	if seen.Requests == 0 || seen.Micros == 0 {
		return load{}, errors.New("no request was answered")
	}
	return load{
		requests: seen.Requests,
		took:     time.Duration(seen.Micros) * time.Microsecond,
		p50:      time.Duration(seen.P50) * time.Microsecond,
		p99:      time.Duration(seen.P99) * time.Microsecond,
	}, nil
}

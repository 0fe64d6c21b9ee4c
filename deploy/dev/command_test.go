package main

import (
	"io"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

func parsed(t *testing.T, args ...string) config {
	t.Helper()
	cfg, err := parseConfig(args, none, io.Discard)
	if err != nil {
		t.Fatal(err)
	}
	return cfg
}

func TestCommandsAsAUserWouldTypeThem(t *testing.T) {
	for _, tt := range []struct {
		args          string
		node, gateway string // the second node's, and the gateway's
	}{
		{"", "bin/kvnode -addr 127.0.0.1:5001", "bin/kvgateway -addr 127.0.0.1:8001"},
		{"-nodes 5 -node-port 6000", "bin/kvnode -addr 127.0.0.1:6001", "bin/kvgateway -addr 127.0.0.1:8001"},
		{"-nodes 2", "bin/kvnode -addr 127.0.0.1:5001 -replicas 2", "bin/kvgateway -addr 127.0.0.1:8001 -replicas 2"},
		{"-consul-port 9500", "CONSUL_HTTP_ADDR=127.0.0.1:9500 bin/kvnode -addr 127.0.0.1:5001", "CONSUL_HTTP_ADDR=127.0.0.1:9500 bin/kvgateway -addr 127.0.0.1:8001"},
		{"-data other", "bin/kvnode -addr 127.0.0.1:5001 -data other/5001", "bin/kvgateway -addr 127.0.0.1:8001"},
	} {
		cfg := parsed(t, strings.Fields(tt.args)...)
		nodes := nodeCommands(cfg)
		if len(nodes) != cfg.nodes {
			t.Errorf("%s: %d nodes, want %d", tt.args, len(nodes), cfg.nodes)
		}
		if got := nodes[1].line(); got != tt.node {
			t.Errorf("%s: the second node is %q, want %q", tt.args, got, tt.node)
		}
		if got := gatewayCommand(cfg).line(); got != tt.gateway {
			t.Errorf("%s: the gateway is %q, want %q", tt.args, got, tt.gateway)
		}
	}
}

func TestConsulKeepsItsDataAndStaysOnLoopback(t *testing.T) {
	t.Setenv("PATH", "")
	c, err := consulCommand(parsed(t, "-bin", fakes(t, "consul"), "-consul-port", "9500"))
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"-server", "-bootstrap-expect=1", "-ui", "-data-dir=data/consul", "-bind=127.0.0.1", "-client=127.0.0.1", "-http-port=9500"} {
		if !slices.Contains(c.args, want) {
			t.Errorf("consul's arguments lack %s: %q", want, c.args)
		}
	}
	settings := c.args[len(c.args)-1]
	for _, want := range []string{`"raft_multiplier": 1`, `"leave_on_terminate": false`, `"server": 9300`, `"serf_lan": 9301`} {
		if !strings.Contains(settings, want) {
			t.Errorf("consul's settings lack %s: %s", want, settings)
		}
	}
}

func TestConsulOnPathComesFirst(t *testing.T) {
	onPath, built := fakes(t, "consul"), fakes(t, "consul")
	t.Setenv("PATH", onPath)
	if got, err := findConsul(built); err != nil || got != filepath.Join(onPath, "consul") {
		t.Errorf("findConsul() = %s, %v, want the one on PATH", got, err)
	}
	t.Setenv("PATH", "")
	if got, err := findConsul(built); err != nil || got != filepath.Join(built, "consul") {
		t.Errorf("findConsul() = %s, %v, want the one that was built", got, err)
	}
	if _, err := findConsul(t.TempDir()); err == nil || !strings.Contains(err.Error(), "make run") {
		t.Errorf("findConsul() = %v, want an error that says what builds it", err)
	}
}

func TestQuoted(t *testing.T) {
	for word, want := range map[string]string{
		"-addr": "-addr", "": "''", "a b": "'a b'", `{"a": 1}`: `'{"a": 1}'`, "it's": `'it'\''s'`, "A=b:1/c": "A=b:1/c",
	} {
		if got := quoted(word); got != want {
			t.Errorf("quoted(%s) = %s, want %s", word, got, want)
		}
	}
}

package main

import (
	"errors"
	"flag"
	"io"
	"strings"
	"testing"
)

func none(string) string { return "" }

func TestParseConfigDefaults(t *testing.T) {
	cfg, err := parseConfig(nil, none, io.Discard)
	if err != nil {
		t.Fatal(err)
	}
	if cfg.nodes != 3 || cfg.nodePort != 5000 || cfg.gateway() != "127.0.0.1:8001" || cfg.consul() != "127.0.0.1:8500" || !cfg.ownConsul() {
		t.Errorf("parseConfig() = %+v, want three nodes on 5000, a gateway on 8001 and a Consul of its own on 8500", cfg)
	}
}

func TestParseConfigUsesTheConsulThatIsNamed(t *testing.T) {
	cfg, err := parseConfig(nil, func(name string) string { return map[string]string{"CONSUL_HTTP_ADDR": "10.0.0.1:8500"}[name] }, io.Discard)
	if err != nil {
		t.Fatal(err)
	}
	if cfg.ownConsul() || cfg.consul() != "10.0.0.1:8500" {
		t.Errorf("consul() = %s, ownConsul() = %t, want the one of CONSUL_HTTP_ADDR", cfg.consul(), cfg.ownConsul())
	}
	for _, p := range cfg.ports() {
		if strings.Contains(p.owner, "Consul") {
			t.Errorf("port %d is wanted for %s, though Consul runs elsewhere", p.port, p.owner)
		}
	}
}

func TestParseConfigRefuses(t *testing.T) {
	for args, want := range map[string]string{
		"-nodes 0":                             "NODES=5",
		"-nodes 65":                            "1 to 64",
		"-nodes three":                         "-nodes",
		"-ready 0s":                            "-ready",
		"-node-port 70000":                     "70000",
		"-nodes 3 -gateway-port 5001":          "port 5001 is wanted by node 5001 and by the gateway",
		"-consul-port 5200 -nodes 2":           "port 5000 is wanted by Consul's server and by node 5000",
		"extra":                                "extra",
		"-unknown":                             "-unknown",
		"-node-port 65535 -nodes 2":            "65536",
		"-consul-port 100 -gateway-port 20000": "-100",
	} {
		if _, err := parseConfig(strings.Fields(args), none, io.Discard); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("parseConfig(%s) = %v, want an error with %q", args, err, want)
		}
	}
}

func TestHelpListsTheFlags(t *testing.T) {
	var out strings.Builder
	if _, err := parseConfig([]string{"-h"}, none, &out); !errors.Is(err, flag.ErrHelp) {
		t.Fatalf("parseConfig(-h) = %v, want ErrHelp", err)
	}
	for _, want := range []string{"CONSUL_HTTP_ADDR", "-nodes", "-ready"} {
		if !strings.Contains(out.String(), want) {
			t.Errorf("-h does not tell of %s:\n%s", want, &out)
		}
	}
}

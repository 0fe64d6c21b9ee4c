package main

import (
	"errors"
	"flag"
	"io"
	"strings"
	"testing"
	"time"
)

func TestDefaults(t *testing.T) {
	c, err := parseConfig(nil, io.Discard)
	if err != nil {
		t.Fatal(err)
	}
	if c.addr != ":8001" || c.replicas != 3 || c.writeQuorum != 2 || c.readQuorum != 2 || c.service != "ringkv-node" || c.timeout != 2*time.Second || c.maxValue != 1<<20 {
		t.Errorf("defaults are %+v", c)
	}
}

func TestContradictionsAreRefused(t *testing.T) {
	for args, want := range map[string]string{
		"-write-quorum 3 -replicas 2":             "-write-quorum 3 exceeds -replicas 2",
		"-read-quorum 4":                          "-read-quorum 4 exceeds -replicas 3",
		"-write-quorum 1":                         "no majority",
		"-replicas 0":                             "-replicas 0",
		"-replicas 17":                            "at most 16",
		"-addr 8001":                              "-addr",
		"-addr :80010":                            "-addr",
		"-addr :nosuchport":                       "-addr",
		"-addr 127.0.0.1:":                        "-addr",
		"-nodes a:80010":                          `"a:80010"`,
		"-nodes a:1,h\\x:1":                       `is no host:port`,
		"-nodes ,,":                               "-nodes: want values with commas between them",
		"-advertise h:80010":                      `"h:80010"`,
		"-advertise 0.0.0.0:8001":                 "0.0.0.0:8001 means every address",
		"-nodes localhost:5000,localhost":         "localhost",
		"-advertise :8001":                        "-advertise",
		"-max-inflight 512KiB":                    "-max-inflight 512KiB is below -max-value 1MiB",
		"-max-value 1GiB -max-inflight 2GiB":      "at most 64MiB",
		"-timeout 0s":                             "-timeout",
		"-log-level loud":                         `"loud" for flag -log-level: want debug, info, warn or error`,
		"-log-format xml":                         "-log-format",
		"-service ringkv/node":                    "-service",
		"-wirte-quorum 2":                         "-wirte-quorum",
		"serve":                                   `unexpected argument "serve"`,
		"-write-quorum 2 -read-quorum 1":          "together must exceed",
		"-replicas 4 -write-quorum 2":             "no majority",
		"-max-value -5":                           "-max-value",
		"-replicas three":                         `"three" for flag -replicas: want a whole number`,
		"-timeout 2":                              `"2" for flag -timeout: want a time with its unit`,
		"-nodes 127.0.0.1:5000 -advertise nohost": "nohost",
	} {
		_, err := parseConfig(strings.Fields(args), io.Discard)
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("parseConfig(%s) = %v, want %q", args, err, want)
		}
	}
}

func TestHelpExplainsEachFlag(t *testing.T) {
	var out strings.Builder
	if _, err := parseConfig([]string{"-h"}, &out); !errors.Is(err, flag.ErrHelp) {
		t.Fatalf("parseConfig(-h) = %v, want flag.ErrHelp", err)
	}
	for _, name := range []string{"addr", "advertise", "replicas", "write-quorum", "read-quorum", "service", "nodes", "timeout", "max-value", "max-inflight", "log-level", "log-format"} {
		if !strings.Contains(out.String(), "  -"+name+" ") {
			t.Errorf("-h says nothing of -%s", name)
		}
	}
}

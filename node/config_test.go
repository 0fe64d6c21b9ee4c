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
	if c.addr != ":5000" || c.data != "data/5000" || c.store != "json" || c.replicas != 3 || c.service != "ringkv-node" || c.weight != 1 ||
		c.checkInterval != time.Second || c.checkTimeout != 500*time.Millisecond || c.destroy != "loopback" || c.maxValue != 1<<20 || c.maxSkew != 5*time.Second {
		t.Errorf("defaults are %+v", c)
	}
}

func TestEnvironmentTwins(t *testing.T) {
	t.Setenv("RINGKV_CHECK_INTERVAL", "3s")
	t.Setenv("RINGKV_ADDR", "127.0.0.1:5009")
	c, err := parseConfig([]string{"-check-interval", "2s"}, io.Discard)
	if err != nil || c.checkInterval != 2*time.Second || c.data != "data/5009" {
		t.Errorf("%+v, %v: want the flag's 2s and the environment's port", c, err)
	}
}

func TestBadValuesInTheEnvironmentAreExplained(t *testing.T) {
	t.Setenv("RINGKV_REBALANCE_AFTER", "60")
	if _, err := parseConfig(nil, io.Discard); err == nil || !strings.Contains(err.Error(), `"RINGKV_REBALANCE_AFTER": want a time with its unit`) {
		t.Errorf("RINGKV_REBALANCE_AFTER=60: %v, want the unit to be asked for", err)
	}
}

func TestContradictionsAreRefused(t *testing.T) {
	for args, want := range map[string]string{
		"-store bolt":                       `-store "bolt"`,
		"-destroy everyone":                 `-destroy "everyone"`,
		"-weight 0":                         "-weight 0",
		"-weight 70000":                     "-weight 70000",
		"-check-interval 100ms":             "-check-interval 100ms",
		"-check-timeout 0s":                 "-check-timeout",
		"-id a -nodes h:1":                  "exclude each other",
		"-id no/slash":                      "-id",
		"-replicas 0":                       "-replicas 0",
		"-max-value 0":                      "-max-value",
		"-max-clock-skew -1s":               "-max-clock-skew",
		"-addr nohost":                      "-addr",
		"-addr 127.0.0.1:-1":                "-addr",
		"-addr 127.0.0.1:":                  "-addr",
		"-addr :":                           "-addr",
		"-advertise [::]:5000":              "[::]:5000 means every address",
		"-advertise h\"x:5000":              `is no host:port`,
		"-advertise h\x01:5000":             `is no host:port`,
		"-advertise [h/x]:5000":             `is no host:port`,
		"-nodes ,":                          "-nodes: want values with commas between them",
		"-advertise h:port":                 `"h:port"`,
		"-zone " + strings.Repeat("z", 513): "-zone",
		"-nodes a:1,b":                      `"b"`,
		"-unknown":                          "-unknown",
		"-nodes h:1,g:2,h:1":                "h:1 twice",
		"-rebalance-after 1ms":              "-rebalance-after",
		"-move-rate fast":                   "-move-rate",
		"-log-format xml -service a_b_c":    "; ",
	} {
		_, err := parseConfig(strings.Fields(args), io.Discard)
		if err == nil || !strings.Contains(strings.ReplaceAll(err.Error(), "\n", "; "), want) {
			t.Errorf("parseConfig(%s) = %v, want %q", args, err, want)
		}
	}
}

func TestHelpExplainsEachFlag(t *testing.T) {
	var out strings.Builder
	if _, err := parseConfig([]string{"-h"}, &out); !errors.Is(err, flag.ErrHelp) {
		t.Fatalf("parseConfig(-h) = %v, want flag.ErrHelp", err)
	}
	for _, name := range []string{"addr", "advertise", "id", "data", "store", "replicas", "nodes", "service", "tags", "zone", "weight",
		"check-interval", "check-timeout", "rebalance-after", "move-rate", "destroy", "max-value", "max-clock-skew", "log-level", "log-format"} {
		if !strings.Contains(out.String(), "  -"+name+" ") {
			t.Errorf("-h says nothing of -%s", name)
		}
	}
}

package main

import (
	"reflect"
	"testing"
	"time"
)

func TestParseConfig(t *testing.T) {
	standard := config{
		rounds: 5, each: 5 * time.Second, nodes: 3, gateways: 2, keys: 10_000, sizes: "all",
		systems: []string{"ringkv", "consul", "etcd", "nginx"}, chart: "bin/bench.svg",
	}
	for _, test := range []struct {
		environment map[string]string
		change      func(*config)
		fails       bool
	}{
		{change: func(*config) {}},
		{environment: map[string]string{"ROUNDS": "1", "SECONDS_EACH": "2"}, change: func(c *config) { c.rounds, c.each = 1, 2*time.Second }},
		{environment: map[string]string{"SHORT": "1"}, change: func(c *config) { c.rounds, c.each = 1, time.Second }},
		{environment: map[string]string{"SHORT": "1", "ROUNDS": "2"}, change: func(c *config) { c.rounds, c.each = 2, time.Second }},
		{environment: map[string]string{"NODES": "9", "GATEWAYS": "1", "KEYS": "5000000"}, change: func(c *config) { c.nodes, c.gateways, c.keys = 9, 1, 5_000_000 }},
		{environment: map[string]string{"GATEWAY_PROCS": "1"}, change: func(c *config) { c.procs = 1 }},
		{environment: map[string]string{"SIZES": "small", "CHART": "x.svg", "FAULTS": "1"}, change: func(c *config) { c.sizes, c.chart, c.faults = "small", "x.svg", true }},
		{environment: map[string]string{"CONSUL_READS": "consistent"}, change: func(c *config) { c.reads = "consistent" }},
		{environment: map[string]string{"SYSTEMS": "ringkv,etcd"}, change: func(c *config) { c.systems = []string{"ringkv", "etcd"} }},
		{environment: map[string]string{"ROUNDS": "0"}, fails: true},
		{environment: map[string]string{"SECONDS_EACH": "1.5"}, fails: true},
		{environment: map[string]string{"KEYS": "many"}, fails: true},
		{environment: map[string]string{"GATEWAY_PROCS": "0"}, fails: true},
		{environment: map[string]string{"NODES": "2"}, fails: true},
		{environment: map[string]string{"SIZES": "large"}, fails: true},
		{environment: map[string]string{"CONSUL_READS": "stale"}, fails: true},
		{environment: map[string]string{"SYSTEMS": "ringkv,redis"}, fails: true},
	} {
		got, err := parseConfig(func(name string) string { return test.environment[name] })
		if (err != nil) != test.fails {
			t.Errorf("parseConfig(%v) = %v, want an error %v", test.environment, err, test.fails)
		}
		if test.fails {
			continue
		}
		want := standard
		test.change(&want)
		if !reflect.DeepEqual(got, want) {
			t.Errorf("parseConfig(%v) = %+v, want %+v", test.environment, got, want)
		}
	}
}

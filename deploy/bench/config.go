package main

import (
	"fmt"
	"strconv"
	"strings"
	"time"
)

// onlySmall as SIZES leaves out what is measured with values larger than 100 B.
const onlySmall = "small"

// quorumReads as CONSUL_READS lets Consul's leader answer a read only once a quorum has confirmed that it leads, as etcd's does
// (https://developer.hashicorp.com/consul/api-docs/features/consistency). Its default is to answer alone.
const quorumReads = "consistent"

// config is what the user may choose, in the environment.
type config struct {
	rounds   int           // how often each measurement is made
	each     time.Duration // how long one takes
	nodes    int           // of ringkv
	gateways int           // of ringkv and of nginx
	procs    int           // GOMAXPROCS of each gateway of ringkv; 0 for what Go takes
	keys     int           // that hold values of 100 B
	sizes    string        // all, or onlySmall
	reads    string        // Consul's: its default, or quorumReads
	systems  []string      // that are measured, by their short names
	faults   bool          // measure what faults and crowds cost, in place of all else
	chart    string        // path of the chart
}

// parseConfig reads ROUNDS, SECONDS_EACH, NODES, GATEWAYS, GATEWAY_PROCS, KEYS, SIZES, CONSUL_READS, SYSTEMS, FAULTS and CHART. SHORT=1 is a round of a second each.
func parseConfig(getenv func(string) string) (config, error) {
	standard := struct{ rounds, seconds int }{5, 5}
	if getenv("SHORT") != "" {
		standard.rounds, standard.seconds = 1, 1
	}
	cfg := config{sizes: "all", faults: getenv("FAULTS") != "", chart: "bin/bench.svg", systems: shortNames()}
	var seconds int
	for _, number := range []struct {
		of             *int
		name           string
		standard, most int
	}{
		{&cfg.rounds, "ROUNDS", standard.rounds, 1000},
		{&seconds, "SECONDS_EACH", standard.seconds, 1000},
		{&cfg.nodes, "NODES", 3, 30},
		{&cfg.gateways, "GATEWAYS", 2, 8},
		{&cfg.procs, "GATEWAY_PROCS", 0, 1000},
		{&cfg.keys, "KEYS", 10_000, 100_000_000},
	} {
		n, err := wholeNumber(getenv(number.name), number.name, number.standard, number.most)
		if err != nil {
			return config{}, err
		}
		*number.of = n
	}
	cfg.each = time.Duration(seconds) * time.Second
	if cfg.nodes < copies {
		return config{}, fmt.Errorf("NODES=%d: three copies of each key need three nodes", cfg.nodes)
	}
	if path := getenv("CHART"); path != "" {
		cfg.chart = path
	}
	if sizes := getenv("SIZES"); sizes != "" {
		cfg.sizes = sizes
	}
	if cfg.sizes != "all" && cfg.sizes != onlySmall {
		return config{}, fmt.Errorf("SIZES=%s: it must be all or %s", cfg.sizes, onlySmall)
	}
	if cfg.reads = getenv("CONSUL_READS"); cfg.reads != "" && cfg.reads != quorumReads {
		return config{}, fmt.Errorf("CONSUL_READS=%s: it must be empty or %s", cfg.reads, quorumReads)
	}
	if list := getenv("SYSTEMS"); list != "" {
		cfg.systems = strings.Split(list, ",")
	}
	return cfg, checkSystems(cfg.systems)
}

func wholeNumber(text, name string, standard, most int) (int, error) {
	if text == "" {
		return standard, nil
	}
	n, err := strconv.Atoi(text)
	if err != nil || n < 1 || n > most {
		return 0, fmt.Errorf("%s=%s: it must be a whole number from 1 to %d", name, text, most)
	}
	return n, nil
}

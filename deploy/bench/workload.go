package main

import "fmt"

// values are the values of one size, and the keys that hold them.
type values struct {
	prefix string // of the keys, three letters: kv.lua counts on that
	keys   int
	bytes  int
	size   string // bytes, as people write it
}

// key is the name of the i-th key, from 1, as kv.lua puts it together.
func (v values) key(i int) string { return fmt.Sprintf("%s%09d", v.prefix, i) }

// allValues are the three sizes. Of the larger ones there are fewer keys, so that all systems are filled in seconds.
func allValues(keys int) []values {
	return []values{
		{prefix: "key", keys: keys, bytes: 100, size: "100 B"},
		{prefix: "mid", keys: min(keys, 1000), bytes: 10 << 10, size: "10 KiB"},
		{prefix: "big", keys: min(keys, 100), bytes: 1 << 20, size: "1 MiB"},
	}
}

// workload is what a system is asked in one measurement.
type workload struct {
	method      string // PUT, GET or mixed
	writes      int    // of a hundred requests
	values      values
	connections int
	gateways    int // that the connections are spread over; 0 where a node is asked
}

// name is how a row of the table begins.
func (w workload) name() string {
	text := fmt.Sprintf("%s %s, %s", w.method, w.values.size, some(w.connections, "connection"))
	switch {
	case w.gateways == 0:
		text += ", at a node"
	case w.gateways > 1:
		text += ", " + some(w.gateways, "gateway")
	}
	return text
}

func some(n int, of string) string {
	if n == 1 {
		return "1 " + of
	}
	return fmt.Sprintf("%d %ss", n, of)
}

// fewConnections is for values of 1 MiB: a node of ringkv has room for 8 MiB that wait on one connection of a gateway, and refuses
// what is above that with 503. With 64 clients that write 1 MiB each, refusals are what would be measured.
const fewConnections = 4

// workloads is all that is measured, in this order. The first two are what the chart shows. Through a gateway it is what a user of ringkv gets, at a node what
// those get who ask without one, as they ask the leaders of the others.
func workloads(cfg config) []workload {
	sizes := allValues(cfg.keys)
	small := sizes[0]
	list := []workload{
		{"PUT", 100, small, 64, 1}, {"GET", 0, small, 64, 1}, {"mixed 95/5", 5, small, 64, 1},
		{"PUT", 100, small, 1, 1}, {"GET", 0, small, 1, 1},
		{"PUT", 100, small, 512, 1}, {"GET", 0, small, 512, 1},
	}
	if cfg.gateways > 1 {
		list = append(list, workload{"PUT", 100, small, 64, cfg.gateways}, workload{"GET", 0, small, 64, cfg.gateways})
	}
	list = append(list, workload{"PUT", 100, small, 64, 0}, workload{"GET", 0, small, 64, 0}, workload{"GET", 0, small, 1, 0})
	if cfg.sizes == onlySmall {
		return list
	}
	medium, large := sizes[1], sizes[2]
	return append(list, workload{"PUT", 100, medium, 64, 1}, workload{"GET", 0, medium, 64, 1}, workload{"GET", 0, medium, 64, 0},
		workload{"PUT", 100, large, fewConnections, 1}, workload{"GET", 0, large, fewConnections, 1})
}

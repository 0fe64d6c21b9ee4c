package main

import (
	"context"
	"fmt"
	"path/filepath"
	"slices"
	"time"
)

// startRingkv starts the nodes, the gateways, and a Consul of their own. Its targets are the gateways, or the first node
// where none is to be asked.
func startRingkv(ctx context.Context, l launch) (*system, error) {
	ports, err := freePorts(l.cfg.nodes + l.cfg.gateways)
	if err != nil {
		return nil, err
	}
	sys := &system{
		name: "ringkv",
		about: fmt.Sprintf("ringkv: %d nodes, three copies of each key, an fsync of two of them before a write is answered, reads of two of them; a gateway%s, and a Consul of one server. At a node: the first one is asked, which has a copy of %s.",
			l.cfg.nodes, onProcs(l.cfg.procs), ownedPart(l.cfg.nodes)),
		dialect: inPath,
		query:   "?raw",
		without: func(workload) string { return "" },
	}
	consul, err := startRegistry(ctx, l, sys)
	if err != nil {
		return nil, err
	}
	var gateways []string
	for _, port := range ports[l.cfg.nodes:] {
		gateways = append(gateways, fmt.Sprintf("127.0.0.1:%d", port))
	}
	for _, command := range ringkvCommands(l.programs, l.crew.dir, ports[:l.cfg.nodes], gateways, consul, l.cfg.procs) {
		ch, err := l.crew.start(command)
		if err != nil {
			return nil, err
		}
		sys.children = append(sys.children, ch)
	}
	sys.targets = func(ctx context.Context, count int) ([]string, error) {
		if count == 0 {
			return []string{fmt.Sprintf("http://127.0.0.1:%d/kv/", ports[0])}, wholeRing(ctx, l.browser, gateways[0], l.cfg.nodes)
		}
		var urls []string
		for _, gateway := range gateways[:count] {
			if err := wholeRing(ctx, l.browser, gateway, l.cfg.nodes); err != nil {
				return nil, err
			}
			urls = append(urls, "http://"+gateway+"/kv/")
		}
		return urls, nil
	}
	return sys, nil
}

// startRegistry starts the Consul that the nodes register in, and returns its address when it has a leader.
func startRegistry(ctx context.Context, l launch, sys *system) (string, error) {
	servers, err := consulServers("registry", 1)
	if err != nil {
		return "", err
	}
	ch, err := l.crew.start(servers[0].command(l.programs.consul, l.crew.dir, 1, servers[0]))
	if err != nil {
		return "", err
	}
	sys.children = append(sys.children, ch)
	err = eventually(ctx, time.Minute, func(ctx context.Context) error {
		_, err := leaderOf(ctx, l.browser, servers)
		return err
	})
	return fmt.Sprintf("127.0.0.1:%d", servers[0].http), err
}

// ownedPart says of how many keys each of so many nodes has a copy.
func ownedPart(nodes int) string {
	if nodes == copies {
		return "every key"
	}
	return fmt.Sprintf("%d in %d keys", copies, nodes)
}

// onProcs says on how many cores at once a gateway may run, where that is not what Go takes.
func onProcs(procs int) string {
	if procs == 0 {
		return ""
	}
	return fmt.Sprintf(" with GOMAXPROCS=%d", procs)
}

// copies of each key that ringkv keeps by default.
const copies = 3

// nodeName is the id of the i-th node, from 0.
func nodeName(i int) string { return fmt.Sprintf("node-%d", i+1) }

func ringkvCommands(p programs, dir string, ports []int, gateways []string, consul string, procs int) []command {
	env := []string{"CONSUL_HTTP_ADDR=" + consul}
	var list []command
	for i, port := range ports {
		list = append(list, command{
			name: nodeName(i),
			path: p.node,
			args: []string{"-addr", fmt.Sprintf("127.0.0.1:%d", port), "-id", nodeName(i), "-data", filepath.Join(dir, nodeName(i))},
			env:  env,
		})
	}
	if procs > 0 {
		env = append(slices.Clone(env), fmt.Sprintf("GOMAXPROCS=%d", procs))
	}
	for i, gateway := range gateways {
		list = append(list, command{name: fmt.Sprintf("gateway-%d", i+1), path: p.gateway, args: []string{"-addr", gateway}, env: env})
	}
	return list
}

// wholeRing is an error unless the gateway knows of every node, and all of them pass.
func wholeRing(ctx context.Context, b browser, gateway string, nodes int) error {
	var ring struct{ Nodes, Away []struct{ ID string } }
	if err := b.askJSON(ctx, "http://"+gateway+"/ring", &ring); err != nil {
		return err
	}
	if len(ring.Nodes) != nodes || len(ring.Away) != 0 {
		return fmt.Errorf("%d of %d nodes of ringkv pass", len(ring.Nodes), nodes)
	}
	return nil
}

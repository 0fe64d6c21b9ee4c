package main

import (
	"context"
	"fmt"
	"path/filepath"
	"time"
)

// nodes of ringkv: as many as it keeps copies of each key.
const nodes = 3

// startRingkv starts three nodes, a gateway, and a Consul of their own. Its target is the gateway.
func startRingkv(ctx context.Context, c *crew, p programs, b browser) (*system, error) {
	ports, err := freePorts(nodes + 1)
	if err != nil {
		return nil, err
	}
	sys := &system{name: "ringkv"}
	consul, err := startRegistry(ctx, c, p, b, sys)
	if err != nil {
		return nil, err
	}
	gateway := fmt.Sprintf("127.0.0.1:%d", ports[nodes])
	for _, command := range ringkvCommands(p, c.dir, ports[:nodes], gateway, consul) {
		ch, err := c.start(command)
		if err != nil {
			return nil, err
		}
		sys.children = append(sys.children, ch)
	}
	sys.target = func(ctx context.Context) (string, error) {
		return "http://" + gateway + "/kv/", wholeRing(ctx, b, gateway)
	}
	return sys, nil
}

// startRegistry starts the Consul that the nodes register in, and returns its address when it has a leader.
func startRegistry(ctx context.Context, c *crew, p programs, b browser, sys *system) (string, error) {
	servers, err := consulServers("registry", 1)
	if err != nil {
		return "", err
	}
	ch, err := c.start(servers[0].command(p.consul, c.dir, 1, servers[0]))
	if err != nil {
		return "", err
	}
	sys.children = append(sys.children, ch)
	err = eventually(ctx, time.Minute, func(ctx context.Context) error {
		_, err := leaderOf(ctx, b, servers)
		return err
	})
	return fmt.Sprintf("127.0.0.1:%d", servers[0].http), err
}

func ringkvCommands(p programs, dir string, ports []int, gateway, consul string) []command {
	env := []string{"CONSUL_HTTP_ADDR=" + consul}
	var list []command
	for i, port := range ports {
		name := fmt.Sprintf("node-%d", i+1)
		list = append(list, command{
			name: name,
			path: p.node,
			args: []string{"-addr", fmt.Sprintf("127.0.0.1:%d", port), "-id", name, "-data", filepath.Join(dir, name)},
			env:  env,
		})
	}
	return append(list, command{name: "gateway", path: p.gateway, args: []string{"-addr", gateway}, env: env})
}

// wholeRing is an error unless the gateway knows of every node, and all of them pass.
func wholeRing(ctx context.Context, b browser, gateway string) error {
	var ring struct{ Nodes, Away []struct{ ID string } }
	if err := b.askJSON(ctx, "http://"+gateway+"/ring", &ring); err != nil {
		return err
	}
	if len(ring.Nodes) != nodes || len(ring.Away) != 0 {
		return fmt.Errorf("%d of %d nodes of ringkv pass", len(ring.Nodes), nodes)
	}
	return nil
}

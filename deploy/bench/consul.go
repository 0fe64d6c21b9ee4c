package main

import (
	"context"
	"fmt"
	"path/filepath"
)

// consulServer is one server of Consul, by its ports on loopback.
type consulServer struct {
	name              string
	http, rpc, gossip int
}

// consulServers finds ports for count servers.
func consulServers(name string, count int) ([]consulServer, error) {
	ports, err := freePorts(3 * count)
	if err != nil {
		return nil, err
	}
	list := make([]consulServer, count)
	for i := range list {
		p := ports[3*i:]
		list[i] = consulServer{name: fmt.Sprintf("%s-%d", name, i+1), http: p[0], rpc: p[1], gossip: p[2]}
	}
	return list, nil
}

// maxConnections is how many one client may have: Consul's own limit is 200, which wrk with more would be refused for.
const maxConnections = 8192

// command starts s as one of expected servers, which meet at the first of them. The data is on disk; raft_multiplier 1 is what
// Consul's documentation gives for production, https://developer.hashicorp.com/consul/docs/reference/agent/configuration-file/general#performance.
func (s consulServer) command(program, dir string, expected int, first consulServer) command {
	settings := fmt.Sprintf(`{"performance": {"raft_multiplier": 1}, "leave_on_terminate": false, "disable_update_check": true, `+
		`"limits": {"http_max_conns_per_client": %d}, "ports": {"server": %d, "serf_lan": %d, "serf_wan": -1, "dns": -1, "grpc": -1, "grpc_tls": -1}}`, maxConnections, s.rpc, s.gossip)
	return command{
		name: s.name,
		path: program,
		args: []string{
			"agent", "-server", fmt.Sprintf("-bootstrap-expect=%d", expected), "-node=" + s.name,
			fmt.Sprintf("-retry-join=127.0.0.1:%d", first.gossip), "-retry-interval=1s",
			"-data-dir=" + filepath.Join(dir, s.name),
			"-bind=127.0.0.1", "-client=127.0.0.1", fmt.Sprintf("-http-port=%d", s.http),
			"-log-level=warn", "-hcl", settings,
		},
		// Asks nobody on the internet whether there is a newer one.
		env: []string{"CHECKPOINT_DISABLE=1"},
	}
}

// consulLimit is the largest value that Consul's KV takes, unless it is told otherwise: 512 KB.
// https://developer.hashicorp.com/consul/docs/reference/agent/configuration-file/general#kv_max_value_size
const consulLimit = 512 << 10

// startConsul starts Consul's KV: three servers. Its target is the leader itself, which is the shortest way there is.
func startConsul(_ context.Context, l launch) (*system, error) {
	servers, err := consulServers("consul", 3)
	if err != nil {
		return nil, err
	}
	query, mode := "?raw", "in the default consistency mode, in which the leader answers reads alone under its lease"
	if l.cfg.reads == quorumReads {
		query, mode = "?raw&consistent", "with `?consistent`, with which the leader answers a read once a quorum has confirmed that it leads"
	}
	sys := &system{
		name: "Consul KV",
		about: "Consul KV: three servers with their data on disk, raft_multiplier 1 and http_max_conns_per_client 8192, asked at the leader, " +
			mode + "; a value has at most 512 KB.",
		dialect: inPath,
		query:   query,
		without: consulWithout,
	}
	for _, s := range servers {
		ch, err := l.crew.start(s.command(l.programs.consul, l.crew.dir, len(servers), servers[0]))
		if err != nil {
			return nil, err
		}
		sys.children = append(sys.children, ch)
	}
	sys.targets = func(ctx context.Context, _ int) ([]string, error) {
		leader, err := leaderOf(ctx, l.browser, servers)
		return []string{fmt.Sprintf("http://127.0.0.1:%d/v1/kv/", leader.http)}, err
	}
	return sys, nil
}

func consulWithout(w workload) string {
	switch {
	case w.values.bytes > consulLimit:
		return "limit 512 KB"
	case w.gateways > 1:
		return "one leader"
	default:
		return ""
	}
}

// leaderOf is an error unless all servers are in the raft group and it has a leader.
func leaderOf(ctx context.Context, b browser, servers []consulServer) (consulServer, error) {
	var leader string
	var peers []string
	status := fmt.Sprintf("http://127.0.0.1:%d/v1/status/", servers[0].http)
	if err := b.askJSON(ctx, status+"leader", &leader); err != nil {
		return consulServer{}, err
	}
	if err := b.askJSON(ctx, status+"peers", &peers); err != nil {
		return consulServer{}, err
	}
	if len(peers) != len(servers) {
		return consulServer{}, fmt.Errorf("%d of %d servers of Consul are there", len(peers), len(servers))
	}
	for _, s := range servers {
		if leader == fmt.Sprintf("127.0.0.1:%d", s.rpc) {
			return s, nil
		}
	}
	return consulServer{}, fmt.Errorf("Consul's leader is %q, which is none of its servers", leader)
}

package main

import (
	"context"
	"fmt"
	"path/filepath"
	"strings"
)

// etcdMember is one member of etcd, by its ports on loopback.
type etcdMember struct {
	name         string
	client, peer int
}

// url is the root of its HTTP/JSON gateway, https://etcd.io/docs/v3.4/dev-guide/api_grpc_gateway/
func (m etcdMember) url() string { return fmt.Sprintf("http://127.0.0.1:%d", m.client) }

// startEtcd starts three members. The target is the leader: a follower sends writes on to it, and asks it before it answers a read,
// which on one machine is paid for with the same CPUs. So the leader is where etcd is fastest here, as Consul's KV is.
func startEtcd(_ context.Context, l launch) (*system, error) {
	ports, err := freePorts(6)
	if err != nil {
		return nil, err
	}
	members := make([]etcdMember, 3)
	for i := range members {
		members[i] = etcdMember{name: fmt.Sprintf("etcd-%d", i+1), client: ports[2*i], peer: ports[2*i+1]}
	}
	sys := &system{
		name: "etcd",
		about: "etcd: three members with their data on disk, asked at the leader over the HTTP/JSON gateway (`/v3/kv/put`, `/v3/kv/range`), which carries values in base64; " +
			"reads are linearizable. 1 MiB is within its limit of 1.5 MiB a request, which counts the value before base64. " +
			"Its quota is 8 GiB, and old revisions are compacted between the measurements.",
		dialect: inJSON,
		without: func(w workload) string {
			if w.gateways > 1 {
				return "one leader"
			}
			return ""
		},
	}
	for _, m := range members {
		ch, err := l.crew.start(m.command(l.programs.etcd, l.crew.dir, members))
		if err != nil {
			return nil, err
		}
		sys.children = append(sys.children, ch)
	}
	sys.targets = func(ctx context.Context, _ int) ([]string, error) {
		leader, _, err := etcdLeader(ctx, l.browser, members)
		return []string{leader.url() + "/v3/kv/"}, err
	}
	sys.tidy = func(ctx context.Context) error { return compact(ctx, l.browser, members) }
	return sys, nil
}

// command starts m as one of members. Everything is as etcd has it by default but for the quota, whose default of 2 GiB is filled
// by a few seconds of large values; 8 GiB is the most that its documentation suggests.
func (m etcdMember) command(program, dir string, members []etcdMember) command {
	var cluster []string
	for _, other := range members {
		cluster = append(cluster, fmt.Sprintf("%s=http://127.0.0.1:%d", other.name, other.peer))
	}
	peer := fmt.Sprintf("http://127.0.0.1:%d", m.peer)
	return command{
		name: m.name,
		path: program,
		args: []string{
			"--name=" + m.name, "--data-dir=" + filepath.Join(dir, m.name), "--logger=zap", "--log-outputs=stderr",
			"--listen-client-urls=" + m.url(), "--advertise-client-urls=" + m.url(),
			"--listen-peer-urls=" + peer, "--initial-advertise-peer-urls=" + peer,
			"--initial-cluster=" + strings.Join(cluster, ","), "--initial-cluster-state=new",
			fmt.Sprintf("--quota-backend-bytes=%d", 8<<30),
		},
	}
}

// etcdStatus is what /v3/maintenance/status says. The numbers are strings there.
type etcdStatus struct {
	Header struct {
		MemberID string `json:"member_id"`
		Revision string
	}
	Leader string
}

// etcdLeader is an error unless all members are there and agree on a leader. It returns the store's revision as well.
func etcdLeader(ctx context.Context, b browser, members []etcdMember) (leader etcdMember, revision string, err error) {
	agreed := ""
	for _, m := range members {
		var status etcdStatus
		if err := b.postJSON(ctx, m.url()+"/v3/maintenance/status", "{}", &status); err != nil {
			return etcdMember{}, "", err
		}
		if agreed == "" {
			agreed = status.Leader
		}
		if status.Leader == "" || status.Leader != agreed {
			return etcdMember{}, "", fmt.Errorf("the members of etcd don't agree on a leader")
		}
		if status.Header.MemberID == agreed {
			leader, revision = m, status.Header.Revision
		}
	}
	if revision == "" {
		return etcdMember{}, "", fmt.Errorf("etcd's leader %s is none of its members", agreed)
	}
	return leader, revision, nil
}

// compact drops all revisions but the last one of each key.
func compact(ctx context.Context, b browser, members []etcdMember) error {
	leader, revision, err := etcdLeader(ctx, b, members)
	if err != nil {
		return err
	}
	_, err = b.ask(ctx, "POST", leader.url()+"/v3/kv/compaction", fmt.Sprintf(`{"revision":"%s","physical":true}`, revision))
	if err != nil && strings.Contains(err.Error(), "has been compacted") {
		return nil // nothing was written since the last time
	}
	return err
}

package main

import (
	"fmt"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
)

// command is one process of the cluster.
type command struct {
	name string   // what it is called in the output
	path string   // absolute path of the program
	args []string // without the program
	env  []string // what it gets beyond dev's own environment, NAME=value
}

// line is the command as a user would type it.
func (c command) line() string {
	words := append(append(slices.Clone(c.env), shown(c.path)), c.args...)
	for i, word := range words {
		words[i] = quoted(word)
	}
	return strings.Join(words, " ")
}

// quoted is word as a shell reads it back unchanged.
func quoted(word string) string {
	if word != "" && !strings.ContainsAny(word, " \t\n'\"\\`$&|;<>()*?[]{}#~!") {
		return word
	}
	return "'" + strings.ReplaceAll(word, "'", `'\''`) + "'"
}

// consulCommand starts a Consul server that is a cluster of its own. Its data directory outlives it: raft's log, its node id
// and the services registered with it are found again.
func consulCommand(cfg config) (command, error) {
	path, err := findConsul(cfg.bin)
	if err != nil {
		return command{}, err
	}
	// What a check prints reaches the UI at once: it changes seldom here, and by default it would be minutes late.
	settings := fmt.Sprintf(`{"performance": {"raft_multiplier": 1}, "check_update_interval": "0s", "disable_update_check": true, `+
		`"leave_on_terminate": false, `+
		`"ports": {"server": %d, "serf_lan": %d, "serf_wan": -1, "dns": -1, "grpc": -1, "grpc_tls": -1}}`, cfg.consulPort-200, cfg.consulPort-199)
	return command{
		name: "consul",
		path: path,
		args: []string{
			"agent", "-server", "-bootstrap-expect=1", "-ui", "-node=dev",
			"-data-dir=" + filepath.Join(cfg.data, "consul"),
			"-bind=127.0.0.1", "-client=127.0.0.1", "-http-port=" + strconv.Itoa(cfg.consulPort),
			"-log-level=error", "-hcl", settings,
		},
		// Asks nobody on the internet whether there is a newer one.
		env: []string{"CHECKPOINT_DISABLE=1"},
	}, nil
}

// findConsul prefers the Consul on PATH to the one that make builds.
func findConsul(bin string) (string, error) {
	path, err := exec.LookPath("consul")
	if err != nil {
		path, err = exec.LookPath(filepath.Join(bin, "consul"))
	}
	if err != nil {
		return "", fmt.Errorf("no consul on PATH nor in %s: `make run` builds it", shown(bin))
	}
	return filepath.Abs(path)
}

// nodeCommands are short, so that a user who killed a node can type its command. Loopback, since nothing here asks for a
// password.
func nodeCommands(cfg config) []command {
	list := make([]command, cfg.nodes)
	for i := range list {
		port := cfg.nodePort + i
		list[i] = command{
			name: "node " + strconv.Itoa(port),
			path: filepath.Join(cfg.bin, "kvnode"),
			args: append([]string{"-addr", loopback(port)}, cfg.replicasFlag()...),
			env:  cfg.consulEnv(),
		}
		if cfg.data != "data" {
			list[i].args = append(list[i].args, "-data", cfg.dataOf(port))
		}
	}
	return list
}

func gatewayCommand(cfg config) command {
	return command{
		name: "gateway",
		path: filepath.Join(cfg.bin, "kvgateway"),
		args: append([]string{"-addr", cfg.gateway()}, cfg.replicasFlag()...),
		env:  cfg.consulEnv(),
	}
}

// defaultReplicas is what the programs keep of each key when they aren't told.
const defaultReplicas = 3

// replicas is on how many nodes each key is kept: fewer nodes than the default can't keep so many.
func (c config) replicas() int { return min(c.nodes, defaultReplicas) }

// replicasFlag is empty for the programs' own default.
func (c config) replicasFlag() []string {
	if c.replicas() == defaultReplicas {
		return nil
	}
	return []string{"-replicas", strconv.Itoa(c.replicas())}
}

// consulEnv is empty where the programs' own default finds Consul.
func (c config) consulEnv() []string {
	if c.consul() == loopback(8500) {
		return nil
	}
	return []string{"CONSUL_HTTP_ADDR=" + c.consul()}
}

package main

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"strings"
)

// startNginx starts nginx as a proxy that spreads keys by consistent hashing over as many other nginx as ringkv has nodes, each of
// which has a file of each size and answers every key with it. Nothing is looked up, compared or stored: it bounds what reads
// through a gateway could reach. Its targets are the proxies.
//
// Each nginx is a single process without a master, so that none outlives its parent; a proxy is as many of them as there are CPUs,
// on one port.
func startNginx(_ context.Context, l launch) (*system, error) {
	ports, err := freePorts(l.cfg.nodes + l.cfg.gateways)
	if err != nil {
		return nil, err
	}
	files := filepath.Join(l.crew.dir, "files")
	if err := writeFiles(files, allValues(l.cfg.keys)); err != nil {
		return nil, err
	}
	backends, proxies := ports[:l.cfg.nodes], ports[l.cfg.nodes:]
	sys := &system{
		name: "nginx",
		about: fmt.Sprintf("nginx, as the bound for GET: `hash $uri consistent` in front of %d other nginx, each of which answers every key with a file of the size; it stores and compares nothing.",
			l.cfg.nodes),
		dialect: inPath,
		filled:  true,
		without: func(w workload) string {
			switch {
			case w.writes > 0:
				return "reads only"
			case w.gateways == 0:
				return "a proxy"
			}
			return ""
		},
	}
	for i, port := range backends {
		if err := sys.startServer(l, fmt.Sprintf("nginx-backend-%d", i+1), backendConfig(port, files)); err != nil {
			return nil, err
		}
	}
	for i, port := range proxies {
		for cpu := range runtime.NumCPU() {
			if err := sys.startServer(l, fmt.Sprintf("nginx-proxy-%d-%d", i+1, cpu+1), proxyConfig(port, backends)); err != nil {
				return nil, err
			}
		}
	}
	sys.targets = func(ctx context.Context, count int) ([]string, error) {
		var urls []string
		for _, port := range proxies[:count] {
			url := fmt.Sprintf("http://127.0.0.1:%d/kv/", port)
			if _, err := l.browser.ask(ctx, "GET", url+allValues(l.cfg.keys)[0].key(1), ""); err != nil {
				return nil, err
			}
			urls = append(urls, url)
		}
		return urls, nil
	}
	return sys, nil
}

// startServer starts one nginx with a configuration and a directory of its own.
func (s *system) startServer(l launch, name, server string) error {
	dir, err := filepath.Abs(filepath.Join(l.crew.dir, name))
	if err != nil {
		return err
	}
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return fmt.Errorf("start %s: %w", name, err)
	}
	config := filepath.Join(dir, "nginx.conf")
	if err := os.WriteFile(config, []byte(nginxConfig(dir, server)), 0o600); err != nil {
		return fmt.Errorf("start %s: %w", name, err)
	}
	ch, err := l.crew.start(command{name: name, path: l.programs.nginx, args: []string{"-p", dir, "-e", "stderr", "-c", config}})
	if err != nil {
		return err
	}
	s.children = append(s.children, ch)
	return nil
}

func writeFiles(dir string, sizes []values) error {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return err
	}
	for _, v := range sizes {
		if err := os.WriteFile(filepath.Join(dir, v.prefix), []byte(strings.Repeat("v", v.bytes)), 0o600); err != nil {
			return fmt.Errorf("write what nginx serves: %w", err)
		}
	}
	return nil
}

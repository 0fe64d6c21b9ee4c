package main

import (
	"errors"
	"fmt"
	"os/exec"
	"runtime"
	"strings"
)

// programs are the paths of what is started. Of those that are left out the path is empty.
type programs struct {
	node, gateway, consul, wrk, etcd, nginx string
}

// findPrograms finds ringkv in bin/, and the others there or on PATH, which `make bench` sees to, and etcd and nginx where they are.
func findPrograms() (programs, error) {
	if runtime.GOOS != "linux" {
		return programs{}, errors.New("it reads CPU times from /proc, which only Linux has")
	}
	var p programs
	for _, program := range []struct {
		path *string
		name string
	}{{&p.node, "./bin/kvnode"}, {&p.gateway, "./bin/kvgateway"}, {&p.consul, "consul"}, {&p.wrk, "wrk"}} {
		path, err := exec.LookPath(program.name)
		if err != nil {
			return programs{}, fmt.Errorf("%w: start it with `make bench`, which builds or names what is missing", err)
		}
		*program.path = path
	}
	p.etcd = firstOf("etcd")
	p.nginx = firstOf("nginx", "/usr/sbin/nginx") // where Debian has it, which isn't on everyone's PATH
	return p, nil
}

// firstOf is the path of the first program that there is, or empty.
func firstOf(names ...string) string {
	for _, name := range names {
		if path, err := exec.LookPath(name); err == nil {
			return path
		}
	}
	return ""
}

// version is the first line that a program prints of itself, which nginx and wrk do on stderr, wrk with a status of failure.
func version(path string, args ...string) string {
	output, _ := exec.Command(path, args...).CombinedOutput() // a version that isn't known is no reason to stop
	line, _, _ := strings.Cut(string(output), "\n")
	line, _, _ = strings.Cut(line, " [") // wrk's goes on with a copyright
	if line == "" {
		return path + " of unknown version"
	}
	return line
}

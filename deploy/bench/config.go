package main

import (
	"errors"
	"fmt"
	"os/exec"
	"runtime"
	"strconv"
	"time"
)

// What is measured. kv.lua knows the number of keys and the size of a value too.
const (
	connections = 64
	threads     = 2 // of wrk
	keys        = 10_000
	valueBytes  = 100
)

// config is what the user may choose.
type config struct {
	rounds int           // how often each measurement is made
	each   time.Duration // how long one takes
}

// parseConfig reads ROUNDS and SECONDS_EACH from the environment.
func parseConfig(getenv func(string) string) (config, error) {
	rounds, err := wholeNumber(getenv, "ROUNDS", 3)
	if err != nil {
		return config{}, err
	}
	seconds, err := wholeNumber(getenv, "SECONDS_EACH", 5)
	if err != nil {
		return config{}, err
	}
	return config{rounds: rounds, each: time.Duration(seconds) * time.Second}, nil
}

func wholeNumber(getenv func(string) string, name string, standard int) (int, error) {
	text := getenv(name)
	if text == "" {
		return standard, nil
	}
	n, err := strconv.Atoi(text)
	if err != nil || n < 1 || n > 1000 {
		return 0, fmt.Errorf("%s=%s: it must be a whole number from 1 to 1000", name, text)
	}
	return n, nil
}

// programs are the paths of what is started.
type programs struct {
	node, gateway, consul, wrk string
}

// findPrograms finds ringkv in bin/, and the others there or on PATH, which `make bench` sees to.
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
	return p, nil
}

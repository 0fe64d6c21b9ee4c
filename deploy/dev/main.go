// Program dev is what `make run` starts: a whole ringkv on this machine, with every process in the foreground.
//
// It starts Consul, the nodes and a gateway in that order, prefixes what each of them prints, waits until a write and a
// read pass through the gateway, and stops them in the reverse order when it is told to. A process that ends by itself is
// reported with the command that starts it again; the others go on.
package main

import (
	"errors"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"runtime"
	"syscall"
)

func main() {
	// A child is told to die with the thread that started it (see outlive_linux.go). This one lasts as long as the program.
	runtime.LockOSThread()
	cfg, err := parseConfig(os.Args[1:], os.Getenv, os.Stderr)
	switch {
	case errors.Is(err, flag.ErrHelp):
		return
	case err != nil:
		fmt.Fprintln(os.Stderr, "dev:", err)
		os.Exit(2)
	}
	signals := make(chan os.Signal, 2)
	signal.Notify(signals, os.Interrupt, syscall.SIGTERM, syscall.SIGHUP)
	if err := run(cfg, os.Stdout, signals); err != nil {
		fmt.Fprintln(os.Stderr, "dev:", err)
		os.Exit(1)
	}
}

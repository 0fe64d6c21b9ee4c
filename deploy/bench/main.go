// Program bench is what `make bench` starts: it measures reads and writes through a ringkv gateway, and beside it those of
// Consul's own KV, on this machine and in turns, and prints a table for the README.
//
// Both systems are what one would run: ringkv has three nodes that store on disk, a gateway and a Consul; Consul's KV has three
// servers that store on disk. The load comes from wrk (https://github.com/wg/wrk) with the script kv.lua. Both systems are up all
// the time and only one of them is under load; what the other costs meanwhile is measured too.
package main

import (
	"context"
	"fmt"
	"os"
	"os/signal"
	"runtime"
	"syscall"
)

func main() {
	// A child is told to die with the thread that started it (see outlive_linux.go). This one lasts as long as the program.
	runtime.LockOSThread()
	cfg, err := parseConfig(os.Getenv)
	if err != nil {
		fmt.Fprintln(os.Stderr, "bench:", err)
		os.Exit(2)
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM, syscall.SIGHUP)
	defer stop()
	if err := run(ctx, cfg, os.Stdout, os.Stderr); err != nil {
		fmt.Fprintln(os.Stderr, "bench:", err)
		os.Exit(1)
	}
}

// Program bench is what `make bench` starts: it measures reads and writes through ringkv's gateways, and beside them those of
// Consul's own KV and of etcd, and reads through nginx, on this machine and in turns, and prints tables and a chart for the README.
//
// Each system is what one would run: see startRingkv, startConsul, startEtcd and startNginx. The load comes from wrk
// (https://github.com/wg/wrk) with the script kv.lua. All systems are up all the time and only one of them is under load; what the
// others cost meanwhile is measured too. With FAULTS=1 it measures ringkv alone: what a node that dies or stands still costs, and
// a crowd of clients.
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
	if err := raiseFiles(); err != nil {
		fmt.Fprintln(os.Stderr, "bench:", err)
		os.Exit(1)
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM, syscall.SIGHUP)
	defer stop()
	if err := run(ctx, cfg, os.Stdout, os.Stderr); err != nil {
		fmt.Fprintln(os.Stderr, "bench:", err)
		os.Exit(1)
	}
}

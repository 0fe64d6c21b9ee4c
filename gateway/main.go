// Kvgateway is the gateway of ringkv: it takes requests for all keys over HTTP, and carries them out on the nodes.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"strings"
	"syscall"
)

// version is set by the linker.
var version = "dev"

func main() {
	cfg, err := parseConfig(os.Args[1:], os.Stdout)
	if errors.Is(err, flag.ErrHelp) {
		return
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "kvgateway:", strings.ReplaceAll(err.Error(), "\n", "; "))
		os.Exit(2)
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	err = run(ctx, cfg, cfg.log.Logger(os.Stderr))
	stop()
	if err != nil {
		fmt.Fprintln(os.Stderr, "kvgateway:", strings.ReplaceAll(err.Error(), "\n", "; "))
		os.Exit(1)
	}
}

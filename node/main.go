// Kvnode is a node of ringkv: it keeps its share of the keys, and answers requests for all of them over HTTP.
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

	"ringkv/gateway/settings"
)

// version is set by the linker.
var version = "dev"

func main() {
	cfg, err := parseConfig(os.Args[1:], os.Stdout)
	if errors.Is(err, flag.ErrHelp) {
		return
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "kvnode:", strings.ReplaceAll(err.Error(), "\n", "; "))
		os.Exit(2)
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	err = run(ctx, cfg, cfg.log.Logger(os.Stderr))
	stop()
	if err != nil {
		fmt.Fprintln(os.Stderr, "kvnode:", strings.ReplaceAll(err.Error(), "\n", "; "))
		if usage := (*settings.UsageError)(nil); errors.As(err, &usage) {
			os.Exit(2)
		}
		os.Exit(1)
	}
}

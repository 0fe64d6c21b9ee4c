// Kvgateway is the gateway of ringkv: it takes requests for all keys over HTTP, and carries them out on the nodes.
package main

import (
	"context"
	"io"
	"os"

	"ringkv/gateway/settings"
)

// version is set by the linker.
var version = "dev"

func main() { os.Exit(settings.Main("kvgateway", os.Args[1:], os.Stdout, os.Stderr, start)) }

func start(args []string, out io.Writer) (func(context.Context) error, error) {
	cfg, err := parseConfig(args, out)
	return func(ctx context.Context) error { return run(ctx, cfg, cfg.log.Logger(os.Stderr)) }, err
}

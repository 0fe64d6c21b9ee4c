// Kvnode is a node of ringkv: it keeps its share of the keys, and answers requests for all of them over HTTP.
package main

import (
	"context"
	"io"
	"os"

	"ringkv/gateway/settings"
)

// version is set by the linker.
var version = "dev"

func main() { os.Exit(settings.Main("kvnode", os.Args[1:], os.Stdout, os.Stderr, start)) }

func start(args []string, out io.Writer) (func(context.Context) error, error) {
	cfg, err := parseConfig(args, out)
	return func(ctx context.Context) error { return run(ctx, cfg, cfg.log.Logger(os.Stderr)) }, err
}

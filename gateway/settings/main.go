package settings

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"strings"
	"syscall"
)

// Main runs a program until it ends or is told to by SIGINT or SIGTERM, and returns its exit status: 2 where the flags are wrong, which
// start finds out, or contradict the machine; 1 for every other error. An error is one line on stderr. start reads args, writes help to
// out, and returns what is to run.
func Main(name string, args []string, out, errs io.Writer, start func(args []string, out io.Writer) (run func(context.Context) error, err error)) int {
	run, err := start(args, out)
	switch {
	case errors.Is(err, flag.ErrHelp):
		return 0
	case err != nil:
		complain(errs, name, err)
		return 2
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err = run(ctx); err == nil {
		return 0
	}
	complain(errs, name, err)
	if usage := (*UsageError)(nil); errors.As(err, &usage) {
		return 2
	}
	return 1
}

func complain(errs io.Writer, name string, err error) {
	// A stderr that can't be written to leaves the exit status to tell.
	_, _ = fmt.Fprintf(errs, "%s: %s\n", name, strings.ReplaceAll(err.Error(), "\n", "; "))
}

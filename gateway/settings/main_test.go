package settings_test

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"strings"
	"testing"

	"ringkv/gateway/settings"
)

func TestMainSaysHowItEnded(t *testing.T) {
	for _, tt := range []struct {
		name       string
		start, run error
		status     int
		said       string
	}{
		{"well", nil, nil, 0, ""},
		{"help", flag.ErrHelp, nil, 0, ""},
		{"wrong flags", errors.Join(errors.New("-a is wrong"), errors.New("-b as well")), nil, 2, "prog: -a is wrong; -b as well\n"},
		{"flags that don't fit the machine", nil, fmt.Errorf("join: %w", &settings.UsageError{Problem: "not listed"}), 2, "prog: join: not listed\n"},
		{"failure", nil, errors.New("disk"), 1, "prog: disk\n"},
	} {
		var errs strings.Builder
		status := settings.Main("prog", nil, io.Discard, &errs, func([]string, io.Writer) (func(context.Context) error, error) {
			return func(context.Context) error { return tt.run }, tt.start
		})
		if status != tt.status || errs.String() != tt.said {
			t.Errorf("%s: status %d, %q, want %d, %q", tt.name, status, errs.String(), tt.status, tt.said)
		}
	}
}

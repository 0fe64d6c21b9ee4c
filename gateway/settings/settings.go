// Package settings is what the flags of both programs have in common: kinds of values, the environment twins, the
// checks, the logger and the address to advertise that they describe, and the main that goes by them.
package settings

import (
	"errors"
	"flag"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/netip"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/docker/go-units"
	"github.com/peterbourgon/ff/v3"
)

// Bytes is a number of bytes, given as 1MiB, 512KiB or plainly.
type Bytes int64

// String implements flag.Value.
func (b *Bytes) String() string { return strings.ReplaceAll(units.BytesSize(float64(*b)), " ", "") }

// Set implements flag.Value.
func (b *Bytes) Set(text string) error {
	n, err := units.RAMInBytes(text)
	if err != nil || n < 1 {
		return errors.New("want a number of bytes such as 1MiB")
	}
	*b = Bytes(n)
	return nil
}

// List is a flag's values with commas between them, none for an empty text.
type List []string

// String implements flag.Value.
func (l *List) String() string { return strings.Join(*l, ",") }

// Set implements flag.Value.
func (l *List) Set(text string) error {
	*l = nil
	for part := range strings.SplitSeq(text, ",") {
		if part = strings.TrimSpace(part); part != "" {
			*l = append(*l, part)
		}
	}
	if len(*l) == 0 && text != "" {
		return errors.New("want values with commas between them")
	}
	return nil
}

// Parse reads args, and for each flag that they lack its twin RINGKV_<FLAG> from the environment. Asked for help it
// writes about, and the flags, to out, and returns flag.ErrHelp. Every other error is one line for the user.
func Parse(fs *flag.FlagSet, args []string, out io.Writer, about string) error {
	fs.SetOutput(io.Discard)
	err := ff.Parse(fs, args, ff.WithEnvVarPrefix("RINGKV"))
	switch {
	case errors.Is(err, flag.ErrHelp):
		if _, err := fmt.Fprintf(out, "%s\n\nEach flag can be set in the environment as well, as RINGKV_<FLAG> with _ for -; the flag wins.\n"+
			"Consul is found by CONSUL_HTTP_ADDR, CONSUL_HTTP_TOKEN and Consul's other variables, else at 127.0.0.1:8500.\n\nFlags:\n", about); err != nil {
			return err
		}
		fs.SetOutput(out)
		fs.PrintDefaults()
		return flag.ErrHelp
	case err != nil:
		_, what, found := strings.Cut(err.Error(), ": ")
		if !found {
			what = err.Error()
		}
		return errors.New(explain(fs, what))
	case fs.NArg() > 0:
		return fmt.Errorf("unexpected argument %q: all settings are flags, see -h", fs.Arg(0))
	}
	return nil
}

// explain returns what was wrong with a flag, with what the flag takes in place of package flag's "parse error".
func explain(fs *flag.FlagSet, what string) string {
	if before, _, found := strings.Cut(what, "slog: "); found {
		return before + "want debug, info, warn or error"
	}
	before, vague := strings.CutSuffix(what, "parse error")
	if !vague {
		return what
	}
	fs.VisitAll(func(f *flag.Flag) {
		got, ok := f.Value.(flag.Getter)
		if !ok || !strings.Contains(before, " -"+f.Name+": ") && !strings.Contains(before, `"`+f.Name+`" from environment`) {
			return
		}
		switch got.Get().(type) {
		case time.Duration:
			what = before + "want a time with its unit, such as 500ms, 2s or 1m"
		case int:
			what = before + "want a whole number"
		}
	})
	return what
}

// A UsageError says that flags contradict each other, or the machine they are given on: nothing was tried.
type UsageError struct{ Problem string }

func (e *UsageError) Error() string { return e.Problem }

var nameForm = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9-]{0,62}$`)

// CheckService says what is wrong with the name of a service in Consul.
func CheckService(flag, name string) error {
	if !nameForm.MatchString(name) {
		return fmt.Errorf("-%s %q: want letters, digits and dashes, 63 at most", flag, name)
	}
	return nil
}

// CheckListen says what is wrong with a listen address.
func CheckListen(addr string) error {
	_, port, err := net.SplitHostPort(addr)
	if err != nil {
		return fmt.Errorf("-addr %q: want host:port or :port", addr)
	}
	if _, err := net.LookupPort("tcp", port); err != nil || port == "" { // which net.Listen takes for 0
		return fmt.Errorf("-addr %q: want a port from 1 to 65535, or 0 for any that is free", addr)
	}
	return nil
}

var hostForm = regexp.MustCompile(`^[\pL\pN._-]+$`)

func isPort(text string) bool {
	n, err := strconv.ParseUint(text, 10, 16)
	return err == nil && n > 0
}

// isHost reports whether text is an address or can be a host's name: what else is in it would only fail later, in Consul or where it is dialled.
func isHost(text string) bool {
	_, err := netip.ParseAddr(text)
	return err == nil || hostForm.MatchString(text)
}

// maxAddr bounds an address, which with a fixed list is a node's id as well, and travels with each request.
const maxAddr = 100

// CheckDial says what is wrong with addresses that others are to dial.
func CheckDial(flag string, addrs ...string) error {
	for i, addr := range addrs {
		if slices.Contains(addrs[:i], addr) {
			return fmt.Errorf("-%s names %s twice", flag, addr)
		}
		if len(addr) > maxAddr {
			return fmt.Errorf("-%s: %.40q... is longer than %d bytes", flag, addr, maxAddr)
		}
		host, port, err := net.SplitHostPort(addr)
		if err != nil || !isHost(host) || !isPort(port) {
			return fmt.Errorf("-%s: %q is no host:port that others can dial", flag, addr)
		}
		if ip := net.ParseIP(host); ip != nil && ip.IsUnspecified() {
			return fmt.Errorf("-%s: %s means every address of a host, and can't be dialled: name one", flag, addr)
		}
	}
	return nil
}

// Log is what -log-level and -log-format say.
type Log struct {
	Level  slog.Level
	Format string
}

// Flags adds the two flags to fs.
func (l *Log) Flags(fs *flag.FlagSet) {
	fs.TextVar(&l.Level, "log-level", slog.LevelInfo, "`level` from which on is logged: debug, info, warn or error")
	fs.StringVar(&l.Format, "log-format", "text", "`format` of the log: text, or json for machines")
}

// Check says what is wrong with the two flags.
func (l *Log) Check() error {
	if l.Format != "text" && l.Format != "json" {
		return fmt.Errorf("-log-format %q: want text or json", l.Format)
	}
	return nil
}

// Logger returns the logger they describe, writing to out.
func (l *Log) Logger(out io.Writer) *slog.Logger {
	opt := &slog.HandlerOptions{Level: l.Level}
	if l.Format == "json" {
		return slog.New(slog.NewJSONHandler(out, opt))
	}
	return slog.New(slog.NewTextHandler(out, opt))
}

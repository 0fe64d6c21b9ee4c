package settings_test

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/hashicorp/consul/api"

	"ringkv/gateway/settings"
)

func flags() (*flag.FlagSet, *settings.Bytes, *settings.List) {
	fs := flag.NewFlagSet("test", flag.ContinueOnError)
	size, list := settings.Bytes(1<<20), settings.List(nil)
	fs.Var(&size, "max-value", "largest value, in `bytes`")
	fs.Var(&list, "nodes", "`host:port,...`")
	return fs, &size, &list
}

func TestFlagWinsOverEnvironment(t *testing.T) {
	t.Setenv("RINGKV_MAX_VALUE", "2MiB")
	t.Setenv("RINGKV_NODES", "a:1, b:2,")
	fs, size, list := flags()
	if err := settings.Parse(fs, nil, nil, ""); err != nil {
		t.Fatal(err)
	}
	if *size != 2<<20 || list.String() != "a:1,b:2" {
		t.Errorf("from the environment: %v, %v, want 2MiB and a:1,b:2", size, list)
	}
	fs, size, _ = flags()
	if err := settings.Parse(fs, []string{"-max-value", "512KiB"}, nil, ""); err != nil || *size != 512<<10 {
		t.Errorf("given as a flag: %v, %v, want 512KiB", size, err)
	}
}

func TestParseErrorsAreOneLine(t *testing.T) {
	for _, tt := range []struct {
		name string
		args []string
		env  string
		want string
	}{
		{"unknown flag", []string{"-wieght", "2"}, "", "-wieght"},
		{"bad value", []string{"-max-value", "much"}, "", "want a number of bytes"},
		{"bad value in the environment", nil, "much", "want a number of bytes"},
		{"argument", []string{"start"}, "", `unexpected argument "start"`},
	} {
		t.Run(tt.name, func(t *testing.T) {
			if tt.env != "" {
				t.Setenv("RINGKV_MAX_VALUE", tt.env)
			}
			fs, _, _ := flags()
			err := settings.Parse(fs, tt.args, nil, "")
			if err == nil || !strings.Contains(err.Error(), tt.want) || strings.Contains(err.Error(), "\n") {
				t.Errorf("Parse(%q) = %v, want one line with %q", tt.args, err, tt.want)
			}
		})
	}
}

func TestHelpNamesEachFlagAndDefault(t *testing.T) {
	fs, _, _ := flags()
	var out strings.Builder
	if err := settings.Parse(fs, []string{"-h"}, &out, "about it"); !errors.Is(err, flag.ErrHelp) {
		t.Fatalf("Parse(-h) = %v, want flag.ErrHelp", err)
	}
	for _, want := range []string{"about it", "-max-value bytes", "default 1MiB", "RINGKV_<FLAG>"} {
		if !strings.Contains(out.String(), want) {
			t.Errorf("usage lacks %q:\n%s", want, &out)
		}
	}
}

func TestAdvertise(t *testing.T) {
	ctx := t.Context()
	agent := func(host string) func(context.Context) string { return func(context.Context) string { return host } }
	for _, tt := range []struct{ name, given, listen, agent, want string }{
		{"given", "h:1", "", "", "h:1"},
		{"one listen address", "", "127.0.0.1", "", "127.0.0.1:5000"},
		{"the agent's, on this host", "", "", "127.0.0.1", "127.0.0.1:5000"},
		{"the agent's, listening on all", "", "0.0.0.0", "127.0.0.1", "127.0.0.1:5000"},
	} {
		got, err := settings.Advertise(ctx, tt.given, tt.listen, "5000", agent(tt.agent))
		if err != nil || got != tt.want {
			t.Errorf("%s: %q, %v, want %q", tt.name, got, err, tt.want)
		}
	}
	got, err := settings.Advertise(ctx, "", "", "5000", agent("203.0.113.9"))
	if err != nil || strings.HasPrefix(got, "203.0.113.9") || !strings.HasSuffix(got, ":5000") {
		t.Errorf("with an agent on another host: %q, %v, want an address of this host", got, err)
	}
}

func TestAgentHostGivesTheAgentAMoment(t *testing.T) {
	asked := 0
	agent := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if asked++; asked < 3 {
			w.WriteHeader(http.StatusInternalServerError)
			return
		}
		fmt.Fprint(w, `{"Member":{"Addr":"192.0.2.9"}}`)
	}))
	defer agent.Close()
	client, err := api.NewClient(&api.Config{Address: agent.URL})
	if err != nil {
		t.Fatal(err)
	}
	if got := settings.AgentHost(client)(t.Context()); got != "192.0.2.9" {
		t.Errorf("AgentHost = %q after %d questions, want 192.0.2.9", got, asked)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if got := settings.AgentHost(client)(ctx); got != "" {
		t.Errorf("AgentHost = %q for a program that is ending, want none", got)
	}
}

func TestInList(t *testing.T) {
	list := []string{"127.0.0.1:5000", "127.0.0.1:5001", "192.0.2.7:5002"}
	if got, err := settings.InList(list, "", "5001"); err != nil || got != list[1] {
		t.Errorf("InList(5001) = %q, %v, want %q", got, err, list[1])
	}
	if got, err := settings.InList(list, list[2], "5002"); err != nil || got != list[2] {
		t.Errorf("InList, advertised = %q, %v, want %q", got, err, list[2])
	}
	for _, tt := range []struct{ advertise, port string }{{"", "5002"}, {"", "5009"}, {"127.0.0.1:5009", "5009"}} {
		got, err := settings.InList(list, tt.advertise, tt.port)
		if usage := (*settings.UsageError)(nil); !errors.As(err, &usage) {
			t.Errorf("InList(%q, %s) = %q, %v, want a UsageError", tt.advertise, tt.port, got, err)
		}
	}
}

package main

import (
	"context"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"
)

// ready is how long a system may take until it serves.
const ready = 2 * time.Minute

// dialect is how a system is asked, by the name that kv.lua knows it by.
type dialect string

const (
	inPath dialect = "path" // PUT and GET, the key at the end of the path, the value as it is
	inJSON dialect = "etcd" // POST of JSON, with key and value in base64
)

// system is one of those that are compared.
type system struct {
	name     string
	about    string // a sentence for below the table
	children []*child
	dialect  dialect
	query    string // at the end of the path of a read

	// targets are the URLs below which its keys are, one for each gateway that is to be asked. It is an error while the system isn't whole.
	targets func(ctx context.Context, gateways int) ([]string, error)
	// without is why a workload isn't measured here, for the table; empty if it is.
	without func(workload) string
	// tidy removes what writes have left behind, where a system doesn't do so by itself. May be nil.
	tidy func(context.Context) error
	// filled says that it was started with all the values that it needs.
	filled bool
}

// starter starts a system. It need not serve yet.
type starter struct {
	short, name string
	start       func(context.Context, launch) (*system, error)
	missing     func(programs) string // why it can't be started, with what to do; empty if it can
}

// launch is what a system is started with.
type launch struct {
	crew     *crew
	programs programs
	browser  browser
	cfg      config
}

func starters() []starter {
	there := func(programs) string { return "" }
	return []starter{
		{"ringkv", "ringkv", startRingkv, there},
		{"consul", "Consul KV", startConsul, there},
		{"etcd", "etcd", startEtcd, func(p programs) string { return notInstalled(p.etcd, "etcd-server") }},
		{"nginx", "nginx", startNginx, func(p programs) string { return notInstalled(p.nginx, "nginx-light") }},
	}
}

func notInstalled(path, debian string) string {
	if path != "" {
		return ""
	}
	return "it is not installed (apt-get install " + debian + ")"
}

func shortNames() []string {
	var names []string
	for _, s := range starters() {
		names = append(names, s.short)
	}
	return names
}

func checkSystems(names []string) error {
	for _, name := range names {
		if !slices.Contains(shortNames(), name) {
			return fmt.Errorf("SYSTEMS=%s: there is no %q, only %s", strings.Join(names, ","), name, strings.Join(shortNames(), ", "))
		}
	}
	return nil
}

// whole waits until the system is whole, and returns its targets.
func (s *system) whole(ctx context.Context, gateways int) (urls []string, err error) {
	err = eventually(ctx, ready, func(ctx context.Context) (err error) {
		urls, err = s.targets(ctx, gateways)
		return err
	})
	return urls, err
}

// place is where the process of that name is in children.
func (s *system) place(name string) int {
	return slices.IndexFunc(s.children, func(ch *child) bool { return ch.name == name })
}

// serve waits until the system takes a write.
func (s *system) serve(ctx context.Context, b browser) error {
	return eventually(ctx, ready, func(ctx context.Context) error {
		urls, err := s.targets(ctx, 1)
		if err != nil || s.filled {
			return err
		}
		return b.put(ctx, s.dialect, urls[0], "first", "")
	})
}

// fill writes all keys of v, if any of the workloads with them is measured here.
func (s *system) fill(ctx context.Context, b browser, v values, list []workload, progress io.Writer) error {
	asked := slices.ContainsFunc(list, func(w workload) bool { return w.values == v && s.without(w) == "" })
	if s.filled || !asked {
		return nil
	}
	urls, err := s.whole(ctx, 1)
	if err != nil {
		return err
	}
	if err := b.fill(ctx, s.dialect, urls[0], v, progress); err != nil {
		return err
	}
	say(progress, "%s holds %s keys with %s each", s.name, count(float64(v.keys)), v.size)
	return nil
}

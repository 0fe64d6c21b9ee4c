package main

import (
	"context"
	"errors"
	"log/slog"
	"strings"
	"testing"

	"ringkv/hashring"
	"ringkv/hashring/membership"
)

func TestSecondProcessOfAnIDIsRefused(t *testing.T) {
	entry := func(id, addr string) membership.Entry {
		return membership.Entry{Member: membership.Member{Member: hashring.Member{ID: id}, Addr: addr}}
	}
	for _, tt := range []struct {
		name    string
		answer  []membership.Entry
		err     error
		answers string // the address where a process answers under the id that it is asked for
		refused bool
	}{
		{"nobody is registered", nil, nil, "", false},
		{"it answers elsewhere", []membership.Entry{entry("n1", "b:1")}, nil, "b:1", true},
		{"one of several answers", []membership.Entry{entry("n1", "c:1"), entry("n2", "d:1"), entry("n1", "b:1")}, nil, "b:1", true},
		{"it answers no more", []membership.Entry{entry("n1", "b:1")}, nil, "", false},
		{"registered here by an earlier run", []membership.Entry{entry("n1", "a:1")}, nil, "a:1", false},
		{"others answer", []membership.Entry{entry("n2", "b:1")}, nil, "b:1", false},
		{"Consul is away", nil, errors.New("refused"), "b:1", false},
	} {
		t.Run(tt.name, func(t *testing.T) {
			ask := func(_ context.Context, req membership.Request) (*membership.Answer, error) {
				if !req.All {
					t.Error("asked for the passing alone: one that has come a moment ago doesn't pass yet")
				}
				return &membership.Answer{Entries: tt.answer}, tt.err
			}
			probe := func(_ context.Context, m membership.Member) error {
				if m.Addr != tt.answers {
					return errors.New("no answer")
				}
				return nil
			}
			err := refuseDouble(t.Context(), "n1", "a:1", ask, probe, slog.New(slog.DiscardHandler))
			if refused := err != nil; refused != tt.refused {
				t.Errorf("refuseDouble = %v, want an error: %v", err, tt.refused)
			}
			if err != nil && (!strings.Contains(err.Error(), "n1") || !strings.Contains(err.Error(), tt.answers)) {
				t.Errorf("%q names neither id nor address", err)
			}
		})
	}
}

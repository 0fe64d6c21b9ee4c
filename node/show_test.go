package main

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"syscall"
	"testing"

	"ringkv/hashring/membership/consultest"
	"ringkv/node/store"
)

// A checked store is one whose Check has a known answer.
type checked struct {
	store.Store
	err error
}

func (c checked) Check(context.Context) error { return c.err }

func TestAFullDiskIsNoReasonToLeave(t *testing.T) {
	for _, c := range []struct {
		err    error
		leaves bool
	}{
		{nil, false},
		{fmt.Errorf("%w: %w", store.ErrFull, syscall.ENOSPC), false},
		{fmt.Errorf("%w: %w", store.ErrFull, syscall.EDQUOT), false},
		{fmt.Errorf("%w: %w", store.ErrFull, syscall.EROFS), true},
		{fmt.Errorf("check the disk: %w", syscall.EIO), true},
		{errors.New("anything else"), true},
	} {
		if err := checkDisk(t.Context(), checked{err: c.err}); (err != nil) != c.leaves {
			t.Errorf("checkDisk with %v = %v, want an error: %v", c.err, err, c.leaves)
		}
	}
}

// TestReadyIsWhoServes: who waits for a node's 200 without naming it can write at once; its check passes before, as the placement waits for that.
func TestReadyIsWhoServes(t *testing.T) {
	if testing.Short() {
		t.Skip("starts Consul")
	}
	t.Setenv("CONSUL_HTTP_ADDR", freeAddr(t)) // nobody listens there
	alone := operate(t, "alone", freeAddr(t), t.TempDir())
	defer alone.end()
	await(t, "the check of a node without Consul passes", func() bool {
		code, _ := alone.call("GET", "/health-check?node=alone", "")
		return code == http.StatusOK
	})
	if code, text := alone.call("GET", "/health-check", ""); code != http.StatusServiceUnavailable || !strings.Contains(text, "is Consul up") {
		t.Errorf("health of a node that serves nothing = %d %q", code, text)
	}
	if _, text := alone.call("GET", "/status", ""); !strings.Contains(text, `"state": "starting"`) || !strings.Contains(text, `"last_contact": null`) {
		t.Errorf("status of a node that serves nothing = %s", text)
	}

	t.Setenv("CONSUL_HTTP_ADDR", consultest.Start(t).Addr)
	n := operate(t, "n", freeAddr(t), t.TempDir(), "-replicas", "1")
	defer n.end()
	await(t, "a node is ready", func() bool { code, _ := n.call("GET", "/health-check", ""); return code == http.StatusOK })
	if code, text := n.call("PUT", "/kv/k", "v"); code != http.StatusOK {
		t.Errorf("PUT at a node that says it is ready = %d %s", code, text)
	}
}

package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"path/filepath"
	"strings"
	"testing"
	"time"

	edge "ringkv/gateway/api"
	"ringkv/hashring/membership/consultest"
	"ringkv/node/keeper"
)

// An operated node runs as the program does, in this process.
type operated struct {
	t    *testing.T
	addr string
	stop context.CancelFunc
	done chan error
}

// operate starts node id on addr, with more flags.
func operate(t *testing.T, id, addr, data string, more ...string) *operated {
	t.Helper()
	flags := []string{"-id", id, "-addr", addr, "-advertise", addr, "-data", data, "-rebalance-after", "1h"}
	cfg, err := parseConfig(append(flags, more...), io.Discard)
	if err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(t.Context())
	n := &operated{t: t, addr: addr, stop: stop, done: make(chan error, 1)}
	go func() { n.done <- run(ctx, cfg, slog.New(slog.NewTextHandler(io.Discard, nil))) }()
	return n
}

// end stops the node and waits for it.
func (n *operated) end() {
	n.t.Helper()
	n.stop()
	if err := <-n.done; err != nil {
		n.t.Errorf("node at %s: %v", n.addr, err)
	}
}

// call returns what the node answers.
func (n *operated) call(method, path, body string) (int, string) {
	n.t.Helper()
	req, err := http.NewRequestWithContext(n.t.Context(), method, "http://"+n.addr+path, strings.NewReader(body))
	if err != nil {
		n.t.Fatal(err)
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return 0, err.Error()
	}
	defer func() {
		if err := resp.Body.Close(); err != nil {
			n.t.Error(err)
		}
	}()
	text, err := io.ReadAll(resp.Body)
	if err != nil {
		return 0, err.Error()
	}
	return resp.StatusCode, string(text)
}

// settled waits until the node goes by a generation with that many nodes and holds all that it gives it.
func (n *operated) settled(nodes int) {
	n.t.Helper()
	await(n.t, fmt.Sprintf("%s holds all of a placement of %d nodes", n.addr, nodes), func() bool {
		_, text := n.call("GET", "/placement", "")
		var doc struct{ Nodes []any }
		_, moved := n.call("GET", "/move", "")
		return json.Unmarshal([]byte(text), &doc) == nil && len(doc.Nodes) == nodes && strings.Contains(moved, `"slots_unsettled": 0`)
	})
}

func await(t *testing.T, what string, ok func() bool) {
	t.Helper()
	for deadline := time.Now().Add(30 * time.Second); !ok(); time.Sleep(50 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("waited in vain: %s", what)
		}
	}
}

// freeAddr returns an address that nobody listens on, and that the system gives to no connection meanwhile.
func freeAddr(t *testing.T) string {
	t.Helper()
	return net.JoinHostPort("127.0.0.1", consultest.FreePorts(t, 1)[0])
}

// TestAnOperatorsDay: a node leaves four, one of the three that are left dies with its disk and is given up, and the ring goes on with all
// that was stored.
func TestAnOperatorsDay(t *testing.T) {
	if testing.Short() {
		t.Skip("starts Consul and four nodes")
	}
	agent := consultest.Start(t)
	t.Setenv("CONSUL_HTTP_ADDR", agent.Addr)
	dir := t.TempDir()
	nodes := map[string]*operated{}
	for _, id := range []string{"a", "b", "c", "d"} {
		nodes[id] = operate(t, id, freeAddr(t), filepath.Join(dir, id))
	}
	a, b, c, d := nodes["a"], nodes["b"], nodes["c"], nodes["d"]
	defer a.end()
	defer b.end()
	for _, n := range nodes {
		n.settled(4)
	}
	for i := range 50 {
		await(t, "a write", func() bool {
			code, _ := a.call("PUT", fmt.Sprintf("/kv/k%d", i), fmt.Sprintf("v%d", i))
			return code == 200
		})
	}

	if code, text := d.call("POST", "/leave", ""); code != 202 || !strings.Contains(text, `"state"`) {
		t.Fatalf("POST /leave = %d %s, want 202 and how far it is", code, text)
	}
	select {
	case err := <-d.done:
		if err != nil {
			t.Fatalf("the node that left ended with %v, want nil", err)
		}
	case <-time.After(60 * time.Second):
		_, text := d.call("GET", "/status", "")
		t.Fatalf("the node has not left after a minute: %s", text)
	}
	if code, text := c.call("POST", "/leave", ""); code != 409 || !strings.Contains(text, "start another node first") {
		t.Errorf("POST /leave with as many nodes as copies = %d %s, want 409 and what to do", code, text)
	}

	if code, _ := a.call("GET", "/lost?node=c", ""); code != 409 {
		t.Errorf("GET /lost of a node that passes = %d, want 409", code)
	}
	c.end()
	lost := func(method string, want int) {
		t.Helper()
		await(t, method+" /lost", func() bool {
			code, text := a.call(method, "/lost?node=c", "")
			return code == want && strings.Contains(text, "no slot loses anything")
		})
	}
	lost("GET", 200)
	lost("POST", 202)
	a.settled(2)
	b.settled(2)
	for i := range 50 {
		await(t, fmt.Sprintf("k%d is still there", i), func() bool {
			code, text := b.call("GET", fmt.Sprintf("/kv/k%d", i), "")
			return code == 200 && strings.Contains(text, fmt.Sprintf(`"v%d"`, i))
		})
	}

	c = operate(t, "c", c.addr, filepath.Join(dir, "c")) // with its old disk
	defer c.end()
	await(t, "the lost node says what to do", func() bool {
		code, text := c.call("GET", "/health-check", "")
		return code == 503 && strings.Contains(text, "remove its data directory")
	})
}

// An operator is told whether to ask again, to do something first, or to look what became of it.
func TestRefusalsSayWhetherToAskAgain(t *testing.T) {
	for _, c := range []struct {
		err     error
		outcome edge.Outcome
		unknown bool
	}{
		{&keeper.Refusal{Reason: "start another node first"}, edge.Conflict, false},
		{fmt.Errorf("leave: %w", &keeper.Refusal{Reason: "a move is under way", Later: true}), edge.NotReady, false},
		{errors.New("Consul doesn't answer"), edge.NotReady, true},
	} {
		if p := refused(c.err); p.Outcome != c.outcome || p.Unknown != c.unknown || !strings.Contains(c.err.Error(), p.Detail) {
			t.Errorf("refused(%v) = %+v, want %v, unknown: %v", c.err, *p, c.outcome, c.unknown)
		}
	}
}

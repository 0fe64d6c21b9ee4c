package wire

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"
)

func TestHandshakeRefusals(t *testing.T) {
	n := startNode(t, "127.0.0.1:0", ServerOptions{}, newMemory())
	for name, c := range map[string]struct {
		node string
		opts PoolOptions
		want string
	}{
		"another node":       {"n2", PoolOptions{}, "this is node n1, not n2"},
		"other replicas":     {"n1", PoolOptions{Replicas: 2}, "-replicas is 3 here and 2 at the asker"},
		"another cluster":    {"n1", PoolOptions{Cluster: "blue"}, "this node belongs to the cluster ringkv-node, the asker to blue"},
		"an id that injects": {"n2\r\nRingkv-Node: n1", PoolOptions{}, "this is node n1, not n2"},
	} {
		t.Run(name, func(t *testing.T) {
			p := startPool(t, c.opts)
			got := ask(t, p, c.node, n.addr, readOf("key"), patience)
			if !errors.Is(got.Err, ErrNotSent) || !strings.Contains(got.Err.Error(), c.want) {
				t.Errorf("reply %v, want ErrNotSent with %q", got.Err, c.want)
			}
			if got.Node != c.node {
				t.Errorf("the reply names node %q, want %q", got.Node, c.node)
			}
		})
	}
}

func TestHandshakeOverRawHTTP(t *testing.T) {
	n := startNode(t, "127.0.0.1:0", ServerOptions{}, newMemory())
	good := http.Header{"Connection": {"keep-alive, Upgrade"}, "Upgrade": {"ringkv"}, headerVersions: {"2-2"}, headerNode: {"n1"},
		headerReplicas: {"3"}, headerCluster: {"ringkv-node"}, headerMaxValue: {"1048576"}}
	for name, c := range map[string]struct {
		header, value string
		status        int
		want          string
	}{
		"good":            {"", "", 101, ""},
		"later range":     {headerVersions, "1-9", 101, ""},
		"no upgrade":      {"Connection", "", 426, "ask with an HTTP/1.1 Upgrade to ringkv"},
		"websocket":       {"Upgrade", "websocket", 426, "ask with an HTTP/1.1 Upgrade to ringkv"},
		"version too new": {headerVersions, "3-4", 426, "this node speaks versions 2-2 of the protocol, the asker 3-4"},
		"version turned":  {headerVersions, "3-1", 426, "the asker 3-1"},
		"no version":      {headerVersions, "", 426, "the asker none"},
		"no node":         {headerNode, "", 421, "this is node n1, not none"},
		"no replicas":     {headerReplicas, "", 409, "-replicas is 3 here and none at the asker"},
		"no cluster":      {headerCluster, "", 409, "the asker to none"},
		"long cluster":    {headerCluster, strings.Repeat("c", 5000), 409, "ccc..."},
		"cluster escaped": {headerCluster, strings.Repeat(`"<`, 2500), 409, `"<...`},
		"no bound":        {headerMaxValue, "", 400, "Ringkv-Max-Value must name a number of bytes"},
		"negative bound":  {headerMaxValue, "-1", 400, "Ringkv-Max-Value must name a number of bytes"},
	} {
		t.Run(name, func(t *testing.T) {
			header := good.Clone()
			if c.header != "" {
				header.Set(c.header, c.value)
			}
			resp, body := rawHandshake(t, n.addr, header)
			if resp.StatusCode != c.status {
				t.Fatalf("answer %d %q, want %d", resp.StatusCode, body, c.status)
			}
			if c.status == http.StatusSwitchingProtocols {
				return
			}
			var no problem
			if err := json.Unmarshal([]byte(body), &no); err != nil || no.Success || no.Status != c.status || len(body) > maxRefusal {
				t.Errorf("answer %q of %d bytes is no problem of 1 KiB: %v", body, len(body), err)
			}
			if !strings.Contains(no.Detail, c.want) || resp.Header.Get("Content-Type") != "application/problem+json" {
				t.Errorf("answer %d %q, want %d with %q", resp.StatusCode, body, c.status, c.want)
			}
		})
	}
}

func rawHandshake(t *testing.T, addr string, header http.Header) (*http.Response, string) {
	t.Helper()
	conn, err := net.Dial("tcp", addr)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	req, err := http.NewRequest(http.MethodGet, "http://"+addr+Path, nil)
	if err != nil {
		t.Fatal(err)
	}
	req.Header = header
	if err := req.Write(conn); err != nil {
		t.Fatal(err)
	}
	resp, err := http.ReadResponse(bufio.NewReader(conn), req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	if resp.StatusCode == http.StatusSwitchingProtocols {
		return resp, ""
	}
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return resp, string(body)
}

// What an asker sends in one go with its handshake must not be lost in net/http's buffer.
func TestRequestRightBehindTheHandshake(t *testing.T) {
	n := startNode(t, "127.0.0.1:0", ServerOptions{}, newMemory())
	conn, err := net.Dial("tcp", n.addr)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	req, err := hello{"n1", 3, "ringkv-node", testMax}.request(n.addr)
	if err != nil {
		t.Fatal(err)
	}
	var all strings.Builder
	if err := req.Write(&all); err != nil {
		t.Fatal(err)
	}
	all.Write(requestFrame(nil, 42, readOf("key")))
	if _, err := io.WriteString(conn, all.String()); err != nil {
		t.Fatal(err)
	}
	r := bufio.NewReader(conn)
	if _, err := http.ReadResponse(r, req); err != nil {
		t.Fatal(err)
	}
	payload, _, err := newFrameReader(r, testMax+overhead).next()
	if err != nil || kind(payload[0]) != kindResponse || payload[1] != 42 {
		t.Errorf("answer % x, error %v, want the response to request 42", payload, err)
	}
}

func TestAddressOfSomethingElse(t *testing.T) {
	for name, c := range map[string]struct {
		handler http.HandlerFunc
		want    string
	}{
		"web server": {http.NotFound, "it answers /wire with 404 and is no ringkv node"},
		"redirect": {func(w http.ResponseWriter, r *http.Request) {
			http.Redirect(w, r, "http://elsewhere/", http.StatusFound)
		}, "it answers /wire with 302"},
		"other switch": {func(w http.ResponseWriter, _ *http.Request) { w.Header().Set("Upgrade", "chat"); w.WriteHeader(101) }, "upgraded to something else"},
		"endless": {func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set(headerVersions, "9")
			w.WriteHeader(500)
			for range 1000 {
				fmt.Fprint(w, strings.Repeat("\x1b[31m", 1000))
			}
		}, "refused"},
	} {
		t.Run(name, func(t *testing.T) {
			web := httptest.NewServer(c.handler)
			defer web.Close()
			p := startPool(t, PoolOptions{})
			got := ask(t, p, "n1", web.Listener.Addr().String(), readOf("key"), patience)
			if !errors.Is(got.Err, ErrNotSent) || !strings.Contains(got.Err.Error(), c.want) || len(got.Err.Error()) > 1024 || strings.Contains(got.Err.Error(), "\x1b") {
				t.Errorf("reply %q, want ErrNotSent with %q, short and printable", got.Err, c.want)
			}
		})
	}
}

// lines collects log lines.
type lines struct {
	mu   sync.Mutex // guards text
	text strings.Builder
}

func (l *lines) Write(b []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.Write(b)
}

func (l *lines) count(what string) int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return strings.Count(l.text.String(), what)
}

func TestRefusalIsLoggedOncePerChange(t *testing.T) {
	var refusals sync.WaitGroup
	refusals.Add(5)
	tries := 0
	n := startNode(t, "127.0.0.1:0", ServerOptions{Replicas: 2}, newMemory())
	logged := new(lines)
	p := startPool(t, PoolOptions{
		Logger: slog.New(slog.NewTextHandler(logged, nil)),
		Rand:   func() float64 { return 0 }, // it is asked once for each retry
		Dial: func(ctx context.Context, addr string) (net.Conn, error) {
			if tries++; tries <= 5 {
				refusals.Done()
			}
			return dialTCP(ctx, addr)
		},
	})
	ask(t, p, "n1", n.addr, readOf("key"), patience)
	refusals.Wait()
	if got := logged.count("-replicas is 2 here and 3 at the asker"); got != 1 {
		t.Errorf("the refusal was logged %d times in 5 tries, want once", got)
	}
	n.stop()
	eventually(t, "the change from refused to unreachable is logged", func() bool { return logged.count("connection refused") == 1 })
}

func TestHandshakeThatNeverAnswersEnds(t *testing.T) {
	listener, err := net.Listen("tcp", "127.0.0.1:0") // the kernel accepts, nobody answers
	if err != nil {
		t.Fatal(err)
	}
	defer listener.Close()
	p := startPool(t, PoolOptions{DialTimeout: 100 * time.Millisecond})
	began := time.Now()
	got := ask(t, p, "n1", listener.Addr().String(), readOf("key"), time.Minute)
	if took := time.Since(began); !errors.Is(got.Err, ErrNotSent) || took > patience/2 {
		t.Errorf("reply %v after %v, want ErrNotSent after 100 ms", got.Err, took)
	}
	if !p.Silent("n1") {
		t.Error("a node that doesn't answer the handshake must count as silent")
	}
}

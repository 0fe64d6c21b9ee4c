package main

import (
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/signal"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
)

// TestMain turns the test program into a fake of the cluster's programs when it is started under one of their names.
func TestMain(m *testing.M) {
	switch filepath.Base(os.Args[0]) {
	case "dev":
		main()
	case "consul":
		serve(loopbackPort(argument("-http-port=")), consulRoutes())
	case "kvnode":
		serve(following("-addr"), nodeRoutes())
	case "kvgateway":
		serve(following("-addr"), gatewayRoutes())
	case "stubborn":
		signal.Ignore(syscall.SIGTERM)
		fmt.Println("deaf")
		select {}
	case "obedient":
		untilTold()
	case "brief":
		fmt.Print("no newline at the end")
		os.Exit(3)
	default:
		os.Exit(m.Run())
	}
}

func consulRoutes() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /v1/status/leader", func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, `"127.0.0.1:8300"`) })
	return mux
}

func nodeRoutes() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("POST /destroy", func(http.ResponseWriter, *http.Request) { os.Exit(137) })
	mux.HandleFunc("GET /health-check", func(w http.ResponseWriter, _ *http.Request) { fmt.Fprintln(w, "state: ready\nnode: n") })
	return mux
}

// gatewayRoutes serve one key, unless the environment says that the gateway never gets ready.
func gatewayRoutes() http.Handler {
	mux := http.NewServeMux()
	if os.Getenv("FAKE_GATEWAY") == "not ready" {
		mux.HandleFunc("/", func(w http.ResponseWriter, _ *http.Request) {
			http.Error(w, "no ring yet", http.StatusServiceUnavailable)
		})
		return mux
	}
	var mu sync.Mutex
	var value []byte
	mux.HandleFunc("/kv/"+probeKey, func(w http.ResponseWriter, r *http.Request) {
		mu.Lock()
		defer mu.Unlock()
		switch r.Method {
		case http.MethodPut:
			value, _ = io.ReadAll(r.Body)
		case http.MethodGet:
			_, _ = w.Write(value)
		}
	})
	return mux
}

// serve listens until it is told to stop.
func serve(addr string, routes http.Handler) {
	server := &http.Server{Addr: addr, Handler: routes, ReadHeaderTimeout: time.Second}
	go func() {
		if err := server.ListenAndServe(); err != http.ErrServerClosed {
			fmt.Println(err)
			os.Exit(1)
		}
	}()
	untilTold()
	_ = server.Close()
}

func untilTold() {
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM)
	defer stop()
	fmt.Println("started")
	<-ctx.Done()
	fmt.Println("stopped")
}

func argument(prefix string) string {
	for _, arg := range os.Args {
		if value, ok := strings.CutPrefix(arg, prefix); ok {
			return value
		}
	}
	return ""
}

func following(flag string) string {
	for i, arg := range os.Args[:len(os.Args)-1] {
		if arg == flag {
			return os.Args[i+1]
		}
	}
	return ""
}

func loopbackPort(port string) string { return net.JoinHostPort("127.0.0.1", port) }

// fakes returns a folder in which each of the names is a link to the test program.
func fakes(t *testing.T, names ...string) string {
	t.Helper()
	// A program with the race detector sleeps a second before it ends.
	t.Setenv("GORACE", "atexit_sleep_ms=0")
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	bin := t.TempDir()
	for _, name := range names {
		if err := os.Symlink(self, filepath.Join(bin, name)); err != nil {
			t.Fatal(err)
		}
	}
	return bin
}

// screen is a terminal that can be read while it is written.
type screen struct {
	mu   sync.Mutex // guards text
	text strings.Builder
}

func (s *screen) Write(p []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.text.Write(p)
}

func (s *screen) String() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.text.String()
}

// await returns when the screen shows want.
func (s *screen) await(t *testing.T, want string) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()
	if !poll(ctx, 5*time.Millisecond, func() bool { return strings.Contains(s.String(), want) }) {
		t.Fatalf("the screen never showed %q, but:\n%s", want, s)
	}
}

// inOrder fails the test unless the screen shows the texts one after the other.
func (s *screen) inOrder(t *testing.T, texts ...string) {
	t.Helper()
	rest := s.String()
	for _, text := range texts {
		_, after, ok := strings.Cut(rest, text)
		if !ok {
			t.Fatalf("%q is not on the screen, or not in the order %q:\n%s", text, texts, s)
		}
		rest = after
	}
}

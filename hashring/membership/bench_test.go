package membership

import (
	"bytes"
	"compress/gzip"
	_ "embed"
	"fmt"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/hashicorp/consul/api"
)

// A node as Consul 1.22 shows it in an answer, with both of its checks, but for what differs from node to node.
//
//go:embed testdata/entry.json
var entryText string

// BenchmarkChange is what any change of a node in Consul costs each program that watches: the answer has all nodes. It reports the
// answer's bytes as JSON and as they travel.
func BenchmarkChange(b *testing.B) {
	for _, n := range []int{10, 100, 1000, 10000} {
		b.Run(fmt.Sprintf("nodes=%d", n), func(b *testing.B) {
			text, packed := consulAnswer(b, n)
			server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				w.Header().Set("Content-Encoding", "gzip")
				w.Header().Set("X-Consul-Index", "7")
				_, _ = w.Write(packed)
			}))
			defer server.Close()
			config := api.DefaultConfig()
			config.Address = server.Listener.Addr().String()
			client, err := api.NewClient(config)
			if err != nil {
				b.Fatal(err)
			}
			defer config.Transport.CloseIdleConnections()
			ask := NewConsulQuery(client, "ringkv-node")
			b.ReportAllocs()
			for b.Loop() {
				answer, err := ask(b.Context(), Request{})
				if err != nil || len(answer.Entries) != n {
					b.Fatalf("%d of %d nodes, %v", len(answer.Entries), n, err)
				}
			}
			b.ReportMetric(float64(text), "json-bytes")
			b.ReportMetric(float64(len(packed)), "sent-bytes")
		})
	}
}

// consulAnswer returns the length of an answer with n nodes, and the answer as Consul packs it.
func consulAnswer(b *testing.B, n int) (int, []byte) {
	random := rand.New(rand.NewPCG(1, 2))
	text := bytes.NewBufferString("[")
	for i := range n {
		if i > 0 {
			text.WriteByte(',')
		}
		agent := fmt.Sprintf("%08x-0000-0000-0000-%012x", random.Uint32(), random.Uint64()>>16)
		fmt.Fprintf(text, entryText, i, i/250, i%250, random.Uint64(), agent, random.IntN(1e7))
	}
	text.WriteByte(']')
	var packed bytes.Buffer
	w := gzip.NewWriter(&packed)
	if _, err := w.Write(text.Bytes()); err != nil {
		b.Fatal(err)
	}
	if err := w.Close(); err != nil {
		b.Fatal(err)
	}
	return text.Len(), packed.Bytes()
}

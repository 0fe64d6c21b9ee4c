package main

import (
	"fmt"
	"strings"
)

// welcome says where everything is and what to try.
func welcome(cfg config) string {
	var text strings.Builder
	fmt.Fprintf(&text, "\nringkv is ready: a write and a read passed through the gateway.\n\n")
	fmt.Fprintf(&text, "  gateway  http://localhost:%d    its ring: http://localhost:%d/ring\n", cfg.gatewayPort, cfg.gatewayPort)
	for i := range cfg.nodes {
		fmt.Fprintf(&text, "  node     http://localhost:%d\n", cfg.nodePort+i)
	}
	if cfg.ownConsul() {
		fmt.Fprintf(&text, "  Consul   http://localhost:%d/ui\n", cfg.consulPort)
	} else {
		fmt.Fprintf(&text, "  Consul   %s (yours, from CONSUL_HTTP_ADDR)\n", cfg.consulAddr)
	}
	fmt.Fprintf(&text, "\nTry:\n")
	fmt.Fprintf(&text, "  curl -X PUT -d myvalue1 http://localhost:%d/kv/mykey1\n", cfg.gatewayPort)
	fmt.Fprintf(&text, "  curl http://localhost:%d/kv/mykey1\n", cfg.gatewayPort)
	fmt.Fprintf(&text, "  curl -X POST http://localhost:%d/destroy    (kills that node; then look at the ring)\n", cfg.nodePort+min(1, cfg.nodes-1))
	fmt.Fprintf(&text, "\nCtrl-C stops all of it. The data stays in %s, and the next run finds it.\n\n", cfg.data)
	return text.String()
}

package main

import (
	"context"
	"slices"
	"testing"
	"time"
)

func TestNginxServesEveryKeyThroughEachProxy(t *testing.T) {
	p := programs{nginx: firstOf("nginx", "/usr/sbin/nginx")}
	if notInstalled(p.nginx, "") != "" {
		t.Skip("nginx is not installed")
	}
	c, ctx := newCrew(t)
	cfg := config{nodes: 3, gateways: 2, keys: 10}
	l := launch{crew: c, programs: p, browser: newBrowser(), cfg: cfg}
	sys, err := startNginx(ctx, l)
	t.Cleanup(func() {
		if err := c.stop(); err != nil {
			t.Error(err)
		}
	})
	if err != nil {
		t.Fatal(err)
	}
	var urls []string
	err = eventually(ctx, 30*time.Second, func(ctx context.Context) (err error) {
		urls, err = sys.targets(ctx, cfg.gateways)
		return err
	})
	if err != nil || len(slices.Compact(urls)) != cfg.gateways {
		t.Fatalf("targets = %q, %v, want %d proxies", urls, err, cfg.gateways)
	}
	for _, url := range urls {
		for _, v := range allValues(cfg.keys) {
			for i := 1; i <= v.keys; i++ {
				if body, err := l.browser.ask(ctx, "GET", url+v.key(i), ""); err != nil || len(body) != v.bytes {
					t.Errorf("GET %s of %s = %d bytes, %v, want %d", v.key(i), url, len(body), err, v.bytes)
				}
			}
		}
	}
}

package main

import (
	"fmt"
	"path/filepath"
	"strings"
)

// nginxConfig has everything that nginx writes in dir. Connections stay open for as long as wrk keeps them, as with the others.
func nginxConfig(dir, server string) string {
	return fmt.Sprintf(`daemon off;
master_process off;
error_log stderr warn;
pid %[1]s/pid;
events { worker_connections 8192; }
http {
  access_log off;
  sendfile on;
  tcp_nopush on;
  keepalive_requests 1000000000;
  client_body_temp_path %[1]s/body;
  proxy_temp_path %[1]s/proxy;
  fastcgi_temp_path %[1]s/fastcgi;
  uwsgi_temp_path %[1]s/uwsgi;
  scgi_temp_path %[1]s/scgi;
%[2]s}
`, dir, server)
}

func backendConfig(port int, files string) string {
	root, err := filepath.Abs(files)
	if err != nil {
		root = files
	}
	return fmt.Sprintf(`  open_file_cache max=100;
  server {
    listen 127.0.0.1:%d;
    root %s;
    location ~ ^/kv/(...) { try_files /$1 =404; }
  }
`, port, root)
}

func proxyConfig(port int, backends []int) string {
	var servers strings.Builder
	for _, backend := range backends {
		fmt.Fprintf(&servers, "    server 127.0.0.1:%d;\n", backend)
	}
	return fmt.Sprintf(`  upstream backends {
    hash $uri consistent;
%s    keepalive 512;
    keepalive_requests 1000000000;
  }
  server {
    listen 127.0.0.1:%d reuseport;
    location / {
      proxy_pass http://backends;
      proxy_http_version 1.1;
      proxy_max_temp_file_size 0;
      proxy_set_header Connection "";
    }
  }
`, servers.String(), port)
}

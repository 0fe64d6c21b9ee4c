package main

import (
	"os"
	"strconv"
	"strings"
	"testing"
)

func TestTheDataOfAnEarlierRunHasItsNumberOfNodes(t *testing.T) {
	for _, tt := range []struct {
		ports string // the folders of an earlier run
		nodes int
		want  string // a part of the error, or nothing
	}{
		{"", 3, ""},
		{"consul dev.pid 4999 5064", 3, ""},
		{"5000 5001 5002", 3, ""},
		{"5000 5001 5002", 5, ""},
		{"5000 5001 5002 5003 5004", 3, "NODES=5, or"},
		{"5000 5001", 1, "NODES=2, or"},
		{"5000", 1, ""},
		{"5000", 3, "kept on 1"},
		{"5000 5001", 3, "NODES=2, or"},
	} {
		cfg := parsed(t, "-nodes", strconv.Itoa(tt.nodes), "-data", t.TempDir())
		for _, name := range strings.Fields(tt.ports) {
			if err := os.Mkdir(cfg.data+"/"+name, 0o755); err != nil {
				t.Fatal(err)
			}
		}
		err := cfg.fits()
		if (err == nil) != (tt.want == "") || err != nil && !strings.Contains(err.Error(), tt.want) {
			t.Errorf("NODES=%d on %q: %v, want %q", tt.nodes, tt.ports, err, tt.want)
		}
	}
}

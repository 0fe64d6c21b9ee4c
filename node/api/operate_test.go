package api

import (
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	edge "ringkv/gateway/api"
	"ringkv/gateway/api/apitest"
)

// operated is a node that notes what it is asked to do.
func operated(access Access) (Node, *[]string) {
	did := new([]string)
	n := testNode(apitest.NewFake())
	n.MayDestroy = access
	n.Is = func(id, disk string) bool { return id == "n1" && disk == "d1" }
	n.Move = func() (any, bool) { return map[string]int{"slots_unsettled": 7}, true }
	n.Leave = func(context.Context) (any, *edge.Problem) {
		*did = append(*did, "leave")
		return map[string]string{"state": "asked"}, nil
	}
	n.Lose = func(_ context.Context, nodes []string, write bool) (any, *edge.Problem) {
		*did = append(*did, fmt.Sprintf("lose %v %v", nodes, write))
		return map[string]string{"detail": "no slot loses anything"}, nil
	}
	return n, did
}

func TestOperating(t *testing.T) {
	for _, tt := range []struct {
		line string
		code int
		body string // a part of it
		did  string
	}{
		{"POST /leave", 202, `"state": "asked"`, "[leave]"},
		{"GET /lost?node=x", 200, `"detail": "no slot loses anything"`, "[lose [x] false]"},
		{"POST /lost?node=x&node=y", 202, `"success": true`, "[lose [x y] true]"},
		{"POST /lost", 400, `/lost?node=node-x`, "[]"},
		{"POST /lost?node=x&node=", 400, `"bad_request"`, "[]"},
		{"POST /lost?" + strings.Repeat("node=x&", 65), 400, `"bad_request"`, "[]"},
		{"DELETE /lost?node=x", 405, `"method_not_allowed"`, "[]"},
		{"GET /move", 200, `"slots_unsettled": 7`, "[]"},
		{"GET /move?node=n1&disk=d1", 200, `"slots_unsettled": 7`, "[]"},
		{"GET /move?node=n1&disk=d2", 503, "another node", "[]"},
	} {
		n, did := operated(Any)
		method, path, _ := strings.Cut(tt.line, " ")
		if w := do(New(n), method, path); w.Code != tt.code || !strings.Contains(w.Body.String(), tt.body) || fmt.Sprint(*did) != tt.did {
			t.Errorf("%.40s = %d %s and did %v, want %d with %s and %s", tt.line, w.Code, w.Body, *did, tt.code, tt.body, tt.did)
		}
	}
}

func TestWhoMayOperate(t *testing.T) {
	for _, tt := range []struct {
		access Access
		remote string
		code   int
	}{
		{Loopback, "127.0.0.1:1234", 0},
		{Loopback, "10.0.0.7:1234", http.StatusForbidden},
		{Any, "10.0.0.7:1234", 0},
		{Off, "127.0.0.1:1234", http.StatusNotFound},
	} {
		for _, line := range []string{"POST /leave", "GET /lost?node=x", "POST /lost?node=x"} {
			method, path, _ := strings.Cut(line, " ")
			n, did := operated(tt.access)
			r := httptest.NewRequest(method, path, nil)
			r.RemoteAddr = tt.remote
			r.Header.Set("X-Forwarded-For", "127.0.0.1")
			w := httptest.NewRecorder()
			New(n).ServeHTTP(w, r)
			if tt.code == 0 && len(*did) != 1 || tt.code != 0 && (w.Code != tt.code || len(*did) != 0) {
				t.Errorf("%s from %s with %q = %d and did %v, want %d", line, tt.remote, tt.access, w.Code, *did, tt.code)
			}
		}
	}
}

func TestRefusalsAreProblems(t *testing.T) {
	n, _ := operated(Any)
	n.Move = func() (any, bool) { return nil, false }
	n.Leave = func(context.Context) (any, *edge.Problem) {
		return nil, &edge.Problem{Outcome: edge.Conflict, Detail: "start another node first"}
	}
	n.Lose = func(context.Context, []string, bool) (any, *edge.Problem) {
		return nil, &edge.Problem{Outcome: edge.NotReady, Detail: "Consul was out of reach", Unknown: true}
	}
	h := New(n)
	for line, want := range map[string]string{
		"GET /move":         `503 "not_ready"`,
		"POST /leave":       `409 "error":"conflict"`,
		"POST /lost?node=x": `503 "outcome":"unknown","retryable":true`,
	} {
		method, path, _ := strings.Cut(line, " ")
		code, part, _ := strings.Cut(want, " ")
		if w := do(h, method, path); fmt.Sprint(w.Code) != code || !strings.Contains(w.Body.String(), part) {
			t.Errorf("%s = %d %s, want %s", line, w.Code, w.Body, want)
		}
	}
}

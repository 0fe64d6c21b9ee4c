package keeper

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"slices"
	"sync"
	"testing"

	"github.com/hashicorp/consul/api"
)

// answering returns a client of a Consul that is answer.
func answering(t *testing.T, answer http.HandlerFunc) *api.Client {
	t.Helper()
	var mu sync.Mutex // held by answer
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		mu.Lock()
		defer mu.Unlock()
		answer(w, r)
	}))
	t.Cleanup(server.Close)
	config := api.DefaultConfig()
	config.Address = server.Listener.Addr().String()
	client, err := api.NewClient(config)
	if err != nil {
		t.Fatal(err)
	}
	return client
}

// TestLockIsFreeOnlyByAnAnswerThatCounts: an index that doesn't rise came without news, whatever the body says; one that falls is of another life
// of Consul, and the key is looked at anew.
func TestLockIsFreeOnlyByAnAnswerThatCounts(t *testing.T) {
	answers := []struct {
		index int
		held  bool
	}{{10, true}, {10, false}, {4, false}, {5, true}, {6, false}}
	var asked []string
	client := answering(t, func(w http.ResponseWriter, r *http.Request) {
		if len(asked) == len(answers) {
			t.Error("it asks on, though the lock is free")
			return
		}
		answer := answers[len(asked)]
		asked = append(asked, r.URL.Query().Get("index"))
		w.Header().Set("X-Consul-Index", fmt.Sprint(answer.index))
		if !answer.held {
			w.WriteHeader(http.StatusNotFound)
			return
		}
		fmt.Fprint(w, `[{"Key":"lock","Session":"another"}]`)
	})
	if err := NewConsulLock(client, "lock", "a").waitFree(t.Context()); err != nil {
		t.Fatal(err)
	}
	if want := []string{"", "10", "10", "", "5"}; !slices.Equal(asked, want) {
		t.Errorf("it asked with the indexes %q, want %q", asked, want)
	}
}

// TestKeyIsReadAsAQuorumHasIt: what a leader that was cut off still believes is nothing to decide by.
func TestKeyIsReadAsAQuorumHasIt(t *testing.T) {
	client := answering(t, func(w http.ResponseWriter, r *http.Request) {
		if !r.URL.Query().Has("consistent") {
			t.Errorf("it asked with %q, want a consistent read", r.URL.RawQuery)
		}
		w.Header().Set("X-Consul-Index", "7")
		fmt.Fprint(w, `[{"Key":"key","ModifyIndex":5,"Value":"dmFsdWU="}]`)
	})
	value, modified, err := NewConsulKey(client, "key").Get(t.Context())
	if string(value) != "value" || modified != 5 || err != nil {
		t.Errorf("Get = %q, %d, %v, want value, written at 5", value, modified, err)
	}
}

package placement

import (
	"context"
	"fmt"
	"time"

	"github.com/hashicorp/consul/api"
)

// Key returns where in Consul's KV the placement of a service's nodes stands.
func Key(service string) string { return "ringkv/" + service + "/placement" }

// A Query asks for the key once. With index 0 it answers at once, otherwise when the index is above that one or when
// wait is over. It is called by one goroutine at a time, and returns when ctx is done.
type Query func(ctx context.Context, index uint64, wait time.Duration) (Answer, error)

// An Answer is what Consul said of the key.
type Answer struct {
	Index uint64 // to wait for next; not a version of the document
	Found bool   // the key exists
	Value []byte
}

// NewConsulQuery returns a Query for key over Consul's KV (https://developer.hashicorp.com/consul/api-docs/kv#read-key).
func NewConsulQuery(client *api.Client, key string) Query {
	return func(ctx context.Context, index uint64, wait time.Duration) (Answer, error) {
		opts := &api.QueryOptions{WaitIndex: index, WaitTime: wait}
		pair, meta, err := client.KV().Get(key, opts.WithContext(ctx))
		if err != nil {
			return Answer{}, fmt.Errorf("ask Consul for the key %s: %w", key, err)
		}
		a := Answer{Index: meta.LastIndex}
		if pair != nil {
			a.Found, a.Value = true, pair.Value
		}
		return a, nil
	}
}

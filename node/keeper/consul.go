package keeper

import (
	"context"
	"fmt"

	"github.com/hashicorp/consul/api"
)

// A ConsulKey is a Key in Consul's KV (https://developer.hashicorp.com/consul/api-docs/kv).
type ConsulKey struct {
	client *api.Client
	key    string
}

// NewConsulKey returns the Key called key.
func NewConsulKey(client *api.Client, key string) *ConsulKey { return &ConsulKey{client, key} }

// Get implements Key.
func (c *ConsulKey) Get(ctx context.Context) ([]byte, uint64, error) {
	pair, _, err := c.client.KV().Get(c.key, (&api.QueryOptions{RequireConsistent: true}).WithContext(ctx))
	if err != nil {
		return nil, 0, fmt.Errorf("read the key %s: %w", c.key, err)
	}
	if pair == nil {
		return nil, 0, nil
	}
	return pair.Value, pair.ModifyIndex, nil
}

// CompareAndSet implements Key.
func (c *ConsulKey) CompareAndSet(ctx context.Context, value []byte, modified uint64) (bool, error) {
	pair := &api.KVPair{Key: c.key, Value: value, ModifyIndex: modified}
	written, _, err := c.client.KV().CAS(pair, (&api.WriteOptions{}).WithContext(ctx))
	if err != nil {
		return false, fmt.Errorf("write the key %s: %w", c.key, err)
	}
	return written, nil
}

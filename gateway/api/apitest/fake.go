// Package apitest says what correct routes of /kv/ are, over raw sockets, for whoever mounts them: gateways and nodes.
package apitest

import (
	"context"
	"sync"

	"ringkv/gateway/coordinator"
	"ringkv/node/record"
)

// A Fake is a coordinator over a map.
type Fake struct {
	// Before, where it is set, is called first by each operation; an error ends it.
	Before func(ctx context.Context, op, key string) error

	mu      sync.Mutex // guards records and clock
	records map[string]record.Record
	clock   uint64
}

// NewFake returns a coordinator that holds nothing.
func NewFake() *Fake { return &Fake{records: map[string]record.Record{}} }

// Get implements api.Coordinator.
func (f *Fake) Get(ctx context.Context, key string, _ coordinator.ReadOptions) (record.Record, error) {
	if err := f.before(ctx, "get", key); err != nil {
		return record.Record{}, err
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.records[key], nil
}

// Put implements api.Coordinator.
func (f *Fake) Put(ctx context.Context, key string, value []byte, contentType string) (record.Version, error) {
	if err := f.before(ctx, "put", key); err != nil {
		return record.Version{}, err
	}
	return f.store(record.Record{Key: key, Type: contentType, Value: value}), nil
}

// PutIf implements api.Coordinator.
func (f *Fake) PutIf(ctx context.Context, key string, value []byte, contentType string, holds coordinator.Condition) (record.Version, error) {
	if err := f.check(key, holds); err != nil {
		return record.Version{}, err
	}
	return f.Put(ctx, key, value, contentType)
}

// DeleteIf implements api.Coordinator.
func (f *Fake) DeleteIf(ctx context.Context, key string, holds coordinator.Condition) (record.Version, bool, error) {
	if err := f.check(key, holds); err != nil {
		return record.Version{}, false, err
	}
	return f.Delete(ctx, key)
}

func (f *Fake) check(key string, holds coordinator.Condition) error {
	f.mu.Lock()
	present := f.records[key]
	f.mu.Unlock()
	if holds(present) {
		return nil
	}
	e := &coordinator.Error{Err: coordinator.ErrPreconditionFailed, None: true, Detail: "the condition doesn't hold"}
	if present.Exists() {
		e.Present = present.Known()
	}
	return e
}

// Delete implements api.Coordinator.
func (f *Fake) Delete(ctx context.Context, key string) (record.Version, bool, error) {
	if err := f.before(ctx, "delete", key); err != nil {
		return record.Version{}, false, err
	}
	_, existed := f.Record(key)
	return f.store(record.Record{Key: key, Deleted: true}), existed, nil
}

// Record returns what is stored of key; ok is false if there is no value.
func (f *Fake) Record(key string) (r record.Record, ok bool) {
	f.mu.Lock()
	defer f.mu.Unlock()
	r = f.records[key]
	return r, r.Exists()
}

// Writes returns how many writes there have been.
func (f *Fake) Writes() int {
	f.mu.Lock()
	defer f.mu.Unlock()
	return int(f.clock)
}

func (f *Fake) store(r record.Record) record.Version {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.clock++
	r.Version = record.Version{HLC: f.clock, Writer: 7}
	f.records[r.Key] = r
	return r.Version
}

func (f *Fake) before(ctx context.Context, op, key string) error {
	if f.Before == nil {
		return nil
	}
	return f.Before(ctx, op, key)
}
